// Errors that a visitor can understand: one clear sentence each.

/** Something went wrong in a way that the visitor can be told; anything else is a mistake of the page. */
export class Problem extends Error {
  name = "Problem";
}

/** What to tell the visitor about any error. */
export function sentence(error) {
  if (error instanceof Problem || error?.name === "Problem") return error.message;
  return `Something went wrong that this page does not know: ${error?.message ?? error}`;
}
