/** How parts of the form of an identity provider reach their fields. */
export interface Fields {
  // biome-ignore lint/suspicious/noExplicitAny: what inputs take differs by their kind.
  get: (path: string, options?: { type: 'checkbox' }) => any
}
