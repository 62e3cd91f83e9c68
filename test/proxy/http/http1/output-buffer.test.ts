import t from 'tap';
import { BodyEncoder } from '../../../../proxy/http/http1/body-encoder.ts';
import { OutputBuffer } from '../../../../proxy/http/http1/output-buffer.ts';
import { BodyFraming } from '../../../../proxy/http/message.ts';
import { FakeStream, nativeText } from '../../../support/fake-stream.ts';
import { tableOf } from '../../../support/header-lines.ts';

function put(output: OutputBuffer, stream: FakeStream, text: string): void {
  output.begin(stream, text.length);
  output.advanceTo(output.length + output.bytes.latin1Write(text, output.length));
}

t.test('a head and a small body leave in one write, a large one goes straight', async (t) => {
  const output = new OutputBuffer();
  const stream = new FakeStream();
  put(output, stream, 'head ');
  output.append(stream, nativeText('body'), 0, 4);
  t.ok(output.holds(stream));
  output.flush();
  t.same(stream.writes, ['head body']);
  put(output, stream, 'head ');
  const large = 'l'.repeat(17 * 1024);
  output.append(stream, nativeText(large), 0, large.length);
  t.same(stream.writes, ['head body', 'head ', large]);
  t.notOk(output.holds(stream));
});

t.test('whoever writes next sends what the one before left', async (t) => {
  const output = new OutputBuffer();
  const [one, two] = [new FakeStream(), new FakeStream()];
  put(output, one, 'one');
  put(output, two, 'two');
  t.same([one.text, two.text], ['one', '']);
  output.discard(one);
  output.discard(two);
  output.flush();
  t.equal(two.text, '', 'what was discarded is gone');
});

t.test('nothing is written to a stream that is closed, and no more is held than there is room for', async (t) => {
  const output = new OutputBuffer();
  const stream = new FakeStream();
  const text = 'x'.repeat(40_000);
  for (let count = 0; count < 3; count++) put(output, stream, text);
  put(output, stream, 'y'.repeat(100_000));
  output.flush();
  t.equal(stream.text, text.repeat(3) + 'y'.repeat(100_000));
  put(output, stream, 'late');
  stream.close();
  output.flush();
  t.notMatch(stream.text, /late/);
});

t.test('a body is written in the framing that was announced', async (t) => {
  const bodies = [
    [BodyFraming.length, 'abcde'],
    [BodyFraming.untilClose, 'abcde'],
    [BodyFraming.chunked, '3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n'],
  ] as const;
  for (const [framing, expected] of bodies) {
    const output = new OutputBuffer();
    const stream = new FakeStream();
    const encoder = new BodyEncoder(output);
    encoder.begin(stream, framing);
    encoder.data(nativeText('.abc.'), 1, 4);
    encoder.dataBytes(Buffer.from('de'));
    encoder.end(tableOf('X: y'));
    output.flush();
    t.equal(stream.text, expected);
  }
});
