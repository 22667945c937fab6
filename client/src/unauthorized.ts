// What says that nobody is signed in any more, to `Chat` and from `Account`.

/** Thrown by `getToken` to stop the client. Any other error is tried again. */
export class Unauthorized extends Error {}
