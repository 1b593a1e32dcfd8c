// Errors with a sentence for the visitor.

/** Error whose message is shown to the visitor; all other errors are bugs of the page. */
export class Problem extends Error {
  name = "Problem";
}

/** Return the sentence for the visitor about any error. */
export function sentence(error) {
  if (error instanceof Problem || error?.name === "Problem") return error.message;
  return `Unexpected error, a bug of this page: ${error?.message ?? error}`;
}
