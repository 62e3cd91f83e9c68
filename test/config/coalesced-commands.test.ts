import t from 'tap';
import { readCoalesced } from '../../config/coalesced-commands.ts';
import { validateFormat } from '../../config/format-commands.ts';

t.test('operators are names, or objects with an argument and a length', (t) => {
  t.same(
    readCoalesced('{"operators":["PROTOCOL",{"command":"REQ","param":"x"},{"command":"PATH","max_length":3}],"x":1}'),
    [
      { name: 'PROTOCOL', argument: null, maxLength: null },
      { name: 'REQ', argument: 'x', maxLength: null },
      { name: 'PATH', argument: null, maxLength: 3 },
    ],
  );
  t.end();
});

t.test('what Envoy refuses is refused with a sentence', (t) => {
  for (const [argument, sentence] of [
    ['x', /an object of JSON with a list "operators"/],
    ['[]', /an object of JSON with a list "operators"/],
    ['{}', /an object of JSON with a list "operators"/],
    ['{"operators":[]}', /an operator at least/],
    ['{"operators":["NOPE"]}', /^in %COALESCE\(\)%: %NOPE% is not a supported command$/],
    ['{"operators":["%PROTOCOL%"]}', /is not a supported command/],
    ['{"operators":["REQ"]}', /%REQ% needs an argument/],
    ['{"operators":[1]}', /a name or have a "command"/],
    ['{"operators":[{"param":"x"}]}', /a name or have a "command"/],
    ['{"operators":[{"command":"REQ","param":1}]}', /"param" of REQ .* must be text/],
    ['{"operators":[{"command":"REQ","param":"x","max_length":0}]}', /"max_length" of REQ .* above 0/],
    ['{"operators":[{"command":"REQ","param":"x","max_length":"5"}]}', /"max_length" of REQ .* above 0/],
    ['{"operators":[{"command":"PROTOCOL","max_length":5}]}', /%PROTOCOL% takes no length/],
    ['{"operators":[{"command":"COALESCE","param":"{}"}]}', /an object of JSON with a list "operators"/],
  ] as const) {
    const errors = validateFormat(`%COALESCE(${argument})%`);
    t.equal(errors.length, 1, argument);
    t.match(errors[0], sentence, argument);
  }
  t.same(validateFormat('%COALESCE%'), ['%COALESCE% needs an argument']);
  t.end();
});
