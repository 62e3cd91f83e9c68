// Connections one after another, each from connect(2) to the first byte of its answer, through system calls of our own:
// Node's sockets cost several times what is measured. Prints the figures as JSON.
// Run: node bench/load/connect-client.ts '{"ip":"10.9.1.1","port":8080,"path":"/","seconds":2}'
import { Epoll, EpollEvent } from '../../native/epoll.ts';
import { describeErrno, Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, connect, createSocket, receive, send } from '../../native/socket.ts';
import { addressFamily } from '../../native/socket-address.ts';

export type ConnectOptions = {
  readonly ip: string;
  readonly port: number;
  readonly path: string;
  readonly seconds: number;
};

export type ConnectOutcome = {
  readonly connections: number;
  readonly medianMicros: number;
  readonly p99Micros: number;
};

const PATIENCE_MS = 5_000;
const WARM_UP = 500;

function run({ ip, port, path, seconds }: ConnectOptions): ConnectOutcome {
  const client = new Client(ip, port, `GET ${path} HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n`);
  for (let index = 0; index < WARM_UP; index++) client.ask();
  const micros: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) micros.push(client.ask());
  micros.sort((one, other) => one - other);
  const at = (share: number): number => micros[Math.min(micros.length - 1, Math.floor(micros.length * share))]!;
  return { connections: micros.length, medianMicros: at(0.5), p99Micros: at(0.99) };
}

class Client {
  readonly #address: { readonly kind: 'ip'; readonly ip: string; readonly port: number };
  readonly #epoll = new Epoll();
  readonly #request: NativeBuffer;
  readonly #answer = new NativeBuffer(4096);

  constructor(ip: string, port: number, request: string) {
    this.#address = { kind: 'ip', ip, port };
    this.#request = new NativeBuffer(request.length);
    this.#request.bytes.write(request, 'latin1');
  }

  // Microseconds to the first byte. Throws when there is none.
  ask(): number {
    const startedAt = performance.now();
    const fd = createSocket(addressFamily(this.#address));
    if (fd < 0) throw new Error(describeErrno(-fd));
    const connected = connect(fd, this.#address);
    if (connected < 0 && connected !== -Errno.EINPROGRESS) throw new Error(describeErrno(-connected));
    this.#epoll.add(fd, 1, EpollEvent.writable);
    this.#wait();
    const sent = send(fd, this.#request, 0, this.#request.length);
    if (sent !== this.#request.length) throw new Error(`the request was not taken: ${describeErrno(-sent)}`);
    this.#epoll.modify(fd, 1, EpollEvent.readable);
    this.#wait();
    const received = receive(fd, this.#answer, 0, this.#answer.length);
    const micros = (performance.now() - startedAt) * 1000;
    close(fd);
    if (received < 12 || this.#answer.bytes.latin1Slice(9, 12) !== '200') throw new Error('the answer is no 200');
    return micros;
  }

  #wait(): void {
    if (this.#epoll.wait(PATIENCE_MS) !== 1) throw new Error(`nothing happened within ${PATIENCE_MS} ms`);
  }
}

console.log(JSON.stringify(run(JSON.parse(process.argv[2]!) as ConnectOptions)));
