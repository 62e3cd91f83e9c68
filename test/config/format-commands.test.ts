import fc from 'fast-check';
import t from 'tap';
import { parseFormat, validateFormat, validateJsonFormat } from '../../config/format-commands.ts';

t.test('a format is taken apart into text and commands', async (t) => {
  t.same(parseFormat('a%%b %REQ(x?y):3%%PROTOCOL%c').pieces, [
    'a%b ',
    { name: 'REQ', argument: 'x?y', maxLength: 3 },
    { name: 'PROTOCOL', argument: null, maxLength: null },
    'c',
  ]);
  t.same(parseFormat('%START_TIME(%Y-%m)%').pieces, [{ name: 'START_TIME', argument: '%Y-%m', maxLength: null }]);
  t.same(parseFormat('').pieces, []);
});

t.test('what is wrong with a format is said in a sentence', async (t) => {
  for (const [format, message] of [
    ['%NO_SUCH%', '%NO_SUCH% is not a supported command'],
    [
      '%UPSTREAM_LOCAL_CLOSE_REASON%',
      '%UPSTREAM_LOCAL_CLOSE_REASON% is not a supported command; write %CONNECTION_TERMINATION_DETAILS%, %RESPONSE_CODE_DETAILS% or %FAILURE_REASON%',
    ],
    ['%COMMON_DURATION%', '%COMMON_DURATION% needs an argument'],
    ['%PATH(X)%', '%PATH(X)% must be WQ or NQ, and :ORIG, :PATH or :ORIG_OR_PATH behind it'],
    ['%QUERY_PARAMS(X)%', '%QUERY_PARAMS(X)% must be ORIG or DECODED'],
    [
      '%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(a)%',
      '%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(a)% must be a number of bits',
    ],
    ['%PROTOCOL(x)%', '%PROTOCOL% takes no argument'],
    ['%PROTOCOL:3%', '%PROTOCOL% takes no length'],
    ['%REQ%', '%REQ% needs an argument'],
    ['%REQ()%', '%REQ% needs an argument'],
    ['%REQ(a?b?c)%', '%REQ(a?b?c)% must name one alternative header at most'],
    ['%REQ(a\nb)%', '%REQ()% may not hold line breaks'],
    ['%GRPC_STATUS(x)%', '%GRPC_STATUS(x)% must be CAMEL_STRING, SNAKE_STRING or NUMBER'],
    [
      '%METADATA(X:a)%',
      '%METADATA(X:a)% must begin with one of DYNAMIC, CLUSTER, ROUTE, UPSTREAM_HOST, LISTENER, LISTENER_FILTER_CHAIN, VIRTUAL_HOST',
    ],
    ['at 100% now', 'position 6: % must begin a command such as %PROTOCOL% or be written %%'],
    ['%REQ(a%', 'position 0: % must begin a command such as %PROTOCOL% or be written %%'],
    ['%', 'position 0: % must begin a command such as %PROTOCOL% or be written %%'],
  ] as const) {
    t.same(validateFormat(format), [message], format);
  }
});

t.test('literal text survives escaping', async () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { pieces, errors } = parseFormat(text.replaceAll('%', '%%'));
      return errors.length === 0 && pieces.join('') === text;
    }),
  );
});

t.test('what is wrong in a JSON format is named with its key', async (t) => {
  t.same(validateJsonFormat({ a: { b: ['%X%', '%PROTOCOL%'] }, c: '%' }), [
    'a.b.0: %X% is not a supported command',
    'c: position 0: % must begin a command such as %PROTOCOL% or be written %%',
  ]);
});

t.test('durations are between known moments, in a known unit', async (t) => {
  t.same(validateFormat('%COMMON_DURATION(DS_RX_BEG:US_RX_END:ns)%'), []);
  for (const argument of ['DS_RX_BEG:US_CX_BEG:ms', 'DS_RX_BEG:DS_TX_END:s', 'DS_RX_BEG:DS_TX_END', 'a', '::']) {
    const [error] = validateFormat(`%COMMON_DURATION(${argument})%`);
    t.match(error, `%COMMON_DURATION(${argument})% must be START:END:ms, us or ns, of DS_RX_BEG, `);
  }
});
