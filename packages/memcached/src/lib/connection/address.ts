/** Where a server listens: on a port, or on a unix socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }
