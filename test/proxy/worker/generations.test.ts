import t from 'tap';
import { Generations, makeGenerationMemory } from '../../../proxy/worker/generations.ts';

t.test('what is published and what each worker serves is seen by all who share the memory', (t) => {
  const memory = makeGenerationMemory(2);
  const [main, worker] = [new Generations(memory), new Generations(memory)];
  t.same([main.published, main.applied, worker.workers], [0, [0, 0], 2]);
  main.publish(1, 0);
  t.equal(worker.published, 1);
  worker.apply(1, 1);
  t.same(main.applied, [0, 1]);
  t.end();
});

t.test('a generation follows the one before, and nobody else publishes', (t) => {
  const memory = makeGenerationMemory(1);
  const generations = new Generations(memory);
  generations.publish(1, 0);
  generations.publish(2, 1);
  t.throws(() => new Generations(memory).publish(1, 0), /was to follow 0, but 2 is published/);
  t.equal(generations.published, 2, 'what was published stays');
  t.throws(() => generations.publish(2, 2), /generation 2 was to follow 2/);
  t.end();
});
