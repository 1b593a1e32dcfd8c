// Registration of the service worker, which adds the headers for threads and serves the page without a connection.

const PATIENCE = 4000; // ms; the page also works without a service worker

/**
 * Register the service worker; the promise is false if the page is about to load again with its headers.
 *
 * `busy()` returns true if loading again would lose work of the visitor; `onfull()` is called if the browser's storage
 * has no room for the page.
 */
export async function prepareOffline(busy, onfull) {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return true;
  serviceWorker.addEventListener("message", ({ data }) => data === "storage-full" && onfull());
  const controlled = new Promise((resolve) => {
    if (serviceWorker.controller) resolve(true);
    serviceWorker.addEventListener("controllerchange", () => resolve(true));
    setTimeout(() => resolve(false), PATIENCE);
  });
  try {
    await serviceWorker.register(new URL("service-worker.js", import.meta.url));
  } catch {
    return true; // a private window, or a file opened from the disk
  }
  const once = "dss-loaded-again";
  if (!(await controlled) || window.crossOriginIsolated || sessionStorage.getItem(once) || busy()) return true;
  sessionStorage.setItem(once, "yes");
  window.location.reload();
  return false;
}
