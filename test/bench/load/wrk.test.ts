// What wrk prints, and that no run with failures passes for a measurement.
import t from 'tap';
import { parseWrkOutput, wrkScript } from '../../../bench/load/wrk.ts';

const SUMMARY = `Running 1s test @ http://127.0.0.1:33447/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.62ms    1.03ms  14.03ms   88.40%
    Req/Sec    24.36k     1.87k   26.60k    80.00%
  24233 requests in 1.00s, 5.59MB read
Requests/sec:  24209.11
Transfer/sec:      5.59MB
`;

const counters = (status: number, read = 0) =>
  `counters requests=24233 bytes=5864386 micros=1000987 connect=0 read=${read} write=0 timeout=0 status=${status}\n`;

t.test('a run without errors gives exact counters', async (t) => {
  t.same(parseWrkOutput(SUMMARY + counters(0)), { requests: 24233, bytes: 5864386, seconds: 1.000987 });
});

t.test('a single failed status fails the run and is named', async (t) => {
  t.throws(() => parseWrkOutput(`${SUMMARY}  Non-2xx or 3xx responses: 1\n${counters(1)}`), /status 1/);
});

t.test('a socket error fails the run and is named', async (t) => {
  t.throws(() => parseWrkOutput(SUMMARY + counters(0, 3)), /read 3/);
});

t.test('errors in the summary fail the run even when the counters deny them', async (t) => {
  t.throws(() => parseWrkOutput(`${SUMMARY}  Socket errors: connect 0, read 1\n${counters(0)}`), /saw errors/);
});

t.test('a run that completed nothing is a failure', async (t) => {
  const nothing = counters(0).replace('24233', '0');
  t.throws(() => parseWrkOutput(SUMMARY + nothing), /completed no request/);
});

t.test('output without counters is a failure', async (t) => {
  t.throws(() => parseWrkOutput(SUMMARY), /no counters/);
});

t.test('the script carries method, authority, headers and body', async (t) => {
  const script = wrkScript({
    method: 'POST',
    path: '/',
    authority: 'a.example',
    headers: { 'x-one': '1' },
    body: 'abc',
  });
  t.match(script, 'wrk.method = "POST"');
  t.match(script, 'wrk.headers["Host"] = "a.example"');
  t.match(script, 'wrk.headers["x-one"] = "1"');
  t.match(script, 'wrk.body = "abc"');
});

t.test('several authorities are asked for in turn, each from the first', async (t) => {
  const request = { method: 'GET', path: '/', authority: 'a', headers: {}, body: '' } as const;
  t.notMatch(wrkScript(request), /request = function/);
  const script = wrkScript({ ...request, authorities: ['one.example', 'two.example'] });
  t.match(script, 'local hosts, texts, at = { "one.example", "two.example" }, {}, 0\n');
  t.match(script, 'at = at % #texts + 1');
});
