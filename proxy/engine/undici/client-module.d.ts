// undici's client without the rest of it: fetch, WebSocket and caches would be another 14 MB a worker (measured).

declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';

  export default Client;
}
