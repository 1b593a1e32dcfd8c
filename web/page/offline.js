// The service worker, seen from the page: headers that threads need, and the page without a connection.

const PATIENCE = 4000; // ms: without a service worker the page works too

/**
 * Register the service worker; the promise is false when the page is about to load again under its headers.
 *
 * `busy()` says whether the visitor has begun something that loading again would lose; `onfull()` is called when the
 * browser's storage does not take the page.
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
