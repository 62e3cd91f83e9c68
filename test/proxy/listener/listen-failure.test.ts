import { join } from 'node:path';
import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { describeListenFailure } from '../../../proxy/listener/listen-failure.ts';

const ip = (text: string, port = 80) => ({ kind: 'ip', ip: text, port }) as const;
const pipe = (path: string) => ({ kind: 'pipe', path }) as const;

t.test('of a port each failure has its way out', async (t) => {
  for (const [errno, address, sentence] of [
    [Errno.EADDRINUSE, ip('::', 8080), 'address already in use; `ss -ltnp sport = :8080` shows who listens there'],
    [Errno.EACCES, ip('0.0.0.0'), 'permission denied; a port this low needs CAP_NET_BIND_SERVICE'],
    [
      Errno.EADDRNOTAVAIL,
      ip('10.9.9.9'),
      'address not available on this machine; `ip address` shows what it has, and 0.0.0.0 stands for all of them',
    ],
    [
      Errno.EADDRNOTAVAIL,
      ip('fd00::9'),
      'address not available on this machine; `ip address` shows what it has, and :: stands for all of them',
    ],
    [Errno.EAFNOSUPPORT, ip('::'), 'address family not supported; this machine has no IPv6'],
    [Errno.EAFNOSUPPORT, ip('0.0.0.0'), 'address family not supported'],
    [Errno.EMFILE, ip('::'), 'too many open files; raise the limit of this process (ulimit -n)'],
    [Errno.ENOBUFS, ip('::'), 'no buffer space'],
  ] as const) {
    t.equal(describeListenFailure(errno, address), sentence);
  }
});

t.test(
  'of a Unix socket, too; its folder is looked for whichever way a library tells that it is not there',
  async (t) => {
    const folder = t.testdir({ file: '' });
    const absent = `there is no folder ${folder}/none; make it`;
    const uid = process.geteuid!();
    for (const [errno, path, sentence] of [
      [Errno.ENOENT, join(folder, 'none/socket'), absent],
      [Errno.EACCES, join(folder, 'none/socket'), absent],
      [Errno.EACCES, join(folder, 'socket'), `permission denied; let uid ${uid} write in ${folder}`],
      [Errno.EADDRINUSE, join(folder, 'file'), 'a file is there that is no socket; remove it, or name another path'],
      [Errno.EADDRINUSE, '/a/b', 'address already in use; `ss -lxp src /a/b` shows who listens there'],
      [Errno.EADDRINUSE, '@name', 'address already in use; `ss -lxp` shows who listens there'],
      [Errno.EACCES, '@name', 'permission denied'],
      [
        Errno.EROFS,
        join(folder, 'socket'),
        'read-only file system; mount a folder there that can be written, or name another path',
      ],
      [Errno.ENOTDIR, join(folder, 'file/socket'), 'not a directory'],
    ] as const) {
      t.equal(describeListenFailure(errno, pipe(path)), sentence);
    }
  },
);
