/** What we show an API server, and know it by. */
export interface Credentials {
  /** PEM. Undefined: the certificate authorities that Node trusts. */
  ca?: string;
  /** PEM of certificate and key, for TLS client authentication. */
  cert?: string;
  key?: string;
  /** Bearer token. */
  token?: string;
}
