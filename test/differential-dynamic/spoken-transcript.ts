// What both proxies say in each step of spoken-steps.ts; of Envoy where it is something else, and why. `whole` is the protocol
// of the state of the world.

export interface Said {
  readonly delta: string;
  readonly whole?: string;
  readonly ofEnvoy?: { readonly delta?: string; readonly whole?: string; readonly why: string };
}

export const transcript: Readonly<Record<string, Said>> = {
  'the first push': {
    delta: 'CDS: ack, first; EDS: ack, first +app; LDS: ack, first; RDS: ack, first +all; RTDS: ack, first +layer',
    whole:
      'CDS: ack [] version 1, first []; EDS: ack [app] version 1, first [app]; LDS: ack [] version 1, first []; RDS: ack [all] version 1, first [all]; RTDS: ack [layer] version 1, first [layer]',
  },
  'one endpoint': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app] version 2',
  },
  'one route': {
    delta: 'RDS: ack',
    whole: 'RDS: ack [all] version 2',
  },
  'a runtime value': {
    delta: 'RTDS: ack',
    whole: 'RTDS: ack [layer] version 2',
  },
  'two clusters more': {
    delta: 'CDS: ack; EDS: +more +service, ack',
    whole: 'CDS: ack [] version 2; EDS: ack [app more service] version 3, asks [app more service] version 2',
  },
  'a cluster with other fields': {
    delta: 'CDS: ack',
    whole: 'CDS: ack [] version 3',
    ofEnvoy: {
      delta: '',
      whole: 'EDS: asks [app more service] version 3',
      why: 'it answers when the cluster is warm, which it is with the next state of its members; in the state of the world it asks for them anew',
    },
  },
  'its members': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more service] version 4',
    ofEnvoy: {
      delta: 'CDS: ack; EDS: ack',
      whole: 'CDS: ack [] version 3; EDS: ack [app more service] version 4',
      why: 'it answers when the cluster is warm',
    },
  },
  'a cluster with members of another name': {
    delta: 'CDS: ack; EDS: +renamed, -service, ack',
    whole:
      'CDS: ack [] version 4; EDS: ack [app more renamed service] version 5, asks [app more renamed service] version 4, asks [app more renamed] version 5',
    ofEnvoy: {
      whole: 'CDS: ack [] version 4; EDS: ack [app more renamed] version 5, asks [app more renamed service] version 4',
      why: 'it merges into its answer what it lets go of',
    },
  },
  'members that are removed': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more renamed] version 6',
  },
  'members that are there again': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more renamed] version 7',
  },
  'a cluster that is removed': {
    delta: 'CDS: ack; EDS: -renamed',
    whole: 'CDS: ack [] version 5; EDS: asks [app more] version 7',
  },
  'a cluster that cannot be, beside a good one': {
    delta: 'CDS: nack',
    whole: 'CDS: nack [] version 5',
  },
  'it is mended': {
    delta: 'CDS: ack',
    whole: 'CDS: ack [] version 7',
  },
  'it becomes one that cannot be': {
    delta: 'CDS: nack',
    whole: 'CDS: nack [] version 7',
  },
  'the stream is cut after a refusal': {
    delta:
      'CDS: first held app=2 bad=21 good=19 more=14 static=3, nack; EDS: first +app +more held app=7 more=15; LDS: ack, first held web=5; RDS: first +all held all=8; RTDS: first +layer held layer=9',
    whole:
      'CDS: first [] version 7, nack [] version 7; EDS: first [app more] version 7; LDS: first [] version 1; RDS: first [all] version 2; RTDS: first [layer] version 2',
    ofEnvoy: {
      delta:
        'CDS: first held app=2 bad=21 more=14 static=3, nack; EDS: first +app +more held app=7 more=15; LDS: ack, first held web=5; RDS: first +all held all=8; RTDS: first +layer held layer=9',
      why: 'it does not say that it holds what it accepted of a refused response',
    },
  },
  'the bad one is removed': {
    delta: 'CDS: ack',
    whole: 'CDS: ack [] version 9',
  },
  'routes with a domain twice': {
    delta: 'RDS: nack',
    whole: 'RDS: nack [all] version 2',
  },
  'the stream ends by status': {
    delta:
      'CDS: ack, first held app=2 good=19 more=14 static=3; EDS: first +app +more held app=7 more=15; LDS: ack, first held web=5; RDS: first +all held all=8, nack; RTDS: first +layer held layer=9',
    whole:
      'CDS: first [] version 9; EDS: first [app more] version 7; LDS: first [] version 1; RDS: first [all] version 2, nack [all] version 2; RTDS: first [layer] version 2',
    ofEnvoy: {
      delta:
        'CDS: ack, first held app=2 more=14 static=3; EDS: first +app +more held app=7 more=15; LDS: ack, first held web=5; RDS: first +all held all=8, nack; RTDS: first +layer held layer=9',
      why: 'it does not say that it holds what it accepted of a refused response',
    },
  },
  'routes mended': {
    delta: 'RDS: ack',
    whole: 'RDS: ack [all] version 4',
  },
  'members that cannot be, beside good ones': {
    delta: 'EDS: nack',
    whole: 'EDS: nack [app more] version 7',
  },
  'members mended': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more] version 9',
  },
  'a listener that cannot be, beside a good one': {
    delta: 'LDS: nack; RDS: +second, ack',
    whole: 'LDS: nack [] version 1; RDS: ack [all second] version 5, asks [all second] version 4',
  },
  'it goes': {
    delta: 'LDS: ack',
    whole: 'LDS: ack [] version 3',
  },
  'a listener of other routes': {
    delta: 'LDS: ack; RDS: +third, -second, ack',
    whole:
      'LDS: ack [] version 4; RDS: ack [all second third] version 6, asks [all second third] version 5, asks [all third] version 6',
  },
  'routes that are removed': {
    delta: 'RDS: ack',
    whole: 'RDS: ack [all third] version 7',
  },
  'a listener that is removed': {
    delta: 'LDS: ack; RDS: -third',
    whole: 'LDS: ack [] version 5; RDS: asks [all] version 7',
  },
  'a cluster twice in a response': {
    delta: 'CDS: nack',
    whole: 'CDS: nack [] version 9',
  },
  'once again': {
    delta: 'CDS: ack',
    whole: 'CDS: ack [] version 10',
  },
  'types that nobody asked for': {
    delta: '',
    whole: '',
  },
  'a response with nothing in it': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more] version empty',
  },
  'a response without a nonce': {
    delta: '',
    whole: '',
    ofEnvoy: {
      delta: 'EDS: says nothing',
      whole: 'EDS: asks [app more] version x',
      why: 'it answers, without a nonce',
    },
  },
  'a response with another type in it': {
    delta: 'EDS: nack',
    whole: 'EDS: nack [app more] version empty',
    ofEnvoy: {
      whole: 'EDS: nack [app more] version x',
      why: 'it has answered a response without a nonce',
    },
  },
  'members that nobody subscribed to': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more] version stranger',
  },
  'good ones': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more] version 10',
  },
  'a secret': {
    delta: 'LDS: ack; SDS: ack, first +own',
    whole: 'LDS: ack [] version 6; SDS: ack [own] version 1, first [own]',
    ofEnvoy: {
      whole: 'LDS: ack [] version 6; SDS: first [own] version 1',
      why: 'it has the version of a response that nobody asked for',
    },
  },
  'another certificate': {
    delta: 'SDS: ack',
    whole: 'SDS: ack [own] version 2',
  },
  'a certificate that is none': {
    delta: 'SDS: nack',
    whole: 'SDS: nack [own] version 2',
  },
  'the secret is removed': {
    delta: 'SDS: ack',
    whole: 'SDS: ack [own] version 4',
  },
  'a filter that is discovered': {
    delta: 'ECDS: ack, first +cors; LDS: ack',
    whole: 'ECDS: ack [cors] version 1, first [cors]; LDS: ack [] version 7',
  },
  'a filter of another type': {
    delta: 'ECDS: nack',
    whole: 'ECDS: nack [cors] version 1',
  },
  'the right one': {
    delta: 'ECDS: ack',
    whole: 'ECDS: ack [cors] version 3',
  },
  'the stream ends in order': {
    delta:
      'CDS: ack, first held app=2 good=33 more=14 static=3; ECDS: first +cors held cors=43; EDS: first +app +more held app=35 more=26; LDS: ack, first held secured=37 web=41; RDS: first +all held all=24; RTDS: first +layer held layer=9; SDS: first +own held own=38',
    whole:
      'CDS: first [] version 10; ECDS: first [cors] version 3; EDS: first [app more] version 10; LDS: first [] version 7; RDS: first [all] version 7; RTDS: first [layer] version 2; SDS: first [own] version 4',
    ofEnvoy: {
      delta:
        'CDS: ack, first held app=2 good=33 more=14 static=3; ECDS: first +cors held cors=43; EDS: first +app +more held app=35 more=26; LDS: ack, first held secured=37 web=41; RDS: first +all held all=24; RTDS: first +layer held layer=9; SDS: first +own',
      why: 'it does not say that it holds a secret that was removed, and is in use',
    },
  },
  'neither the secret nor the filter is needed': {
    delta: 'ECDS: -cors; LDS: ack; SDS: -own',
    whole: 'ECDS: asks [] version 3; LDS: ack [] version 8; SDS: asks [] version 4',
  },
  'a cluster of which members do not come': {
    delta: 'CDS: ack; EDS: +waiting',
    whole: 'CDS: ack [] version 11; EDS: asks [app more waiting] version 10',
    ofEnvoy: {
      delta: 'EDS: +waiting',
      whole: 'EDS: asks [app more waiting] version 10',
      why: 'it answers when the cluster is warm',
    },
  },
  'the stream is cut while it waits': {
    delta:
      'CDS: ack, first held app=2 good=33 more=14 static=3 waiting=45; EDS: first +app +more +waiting held app=35 more=26; LDS: ack, first held web=44; RDS: first +all held all=24; RTDS: first +layer held layer=9',
    whole:
      'CDS: first [] version 11; EDS: ack [app more waiting] version 10, first [app more waiting]; LDS: first [] version 8; RDS: first [all] version 7; RTDS: first [layer] version 2',
    ofEnvoy: {
      delta:
        'EDS: first +app +more +waiting held app=35 more=26; LDS: ack, first held web=44; RDS: first +all held all=24; RTDS: first +layer held layer=9',
      whole:
        'ECDS: first [] version 3; EDS: first [app more waiting] version 10; LDS: first [] version 8; RDS: first [all] version 7; RTDS: first [layer] version 2; SDS: first [] version 4',
      why: 'it asks for clusters when the waiting one is warm; it says a version with names that it lacks, which servers do not send then; and asks for types of which it wants nothing',
    },
  },
  'they come': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more waiting] version 11',
    ofEnvoy: {
      delta: 'CDS: ack, first held app=2 good=33 more=14 static=3 waiting=45; EDS: ack',
      whole: 'CDS: first [] version 11; EDS: ack [app more waiting] version 11',
      why: 'it asks for clusters when the waiting one is warm',
    },
  },
  'subscriptions change while members change': {
    delta: 'CDS: ack; EDS: +late -waiting, ack, ack',
  },
  'members with a time to live': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more waiting] version 12',
  },
  'a heartbeat': {
    delta: 'EDS: ack',
    whole: 'EDS: ack [app more waiting] version 12',
  },
  'a heartbeat of another version': {
    delta: 'EDS: nack',
    whole: 'EDS: nack [app more waiting] version 12',
  },
  'a cluster whose time is short': {
    delta: 'CDS: ack; EDS: +short, -short, ack',
  },
  'it is removed': {
    delta: 'CDS: ack',
  },
  'all listeners go': {
    delta: 'LDS: ack; RDS: -all',
    whole: 'LDS: ack [] version 9; RDS: asks [] version 7',
  },
  'all clusters go': {
    delta: 'CDS: ack; EDS: -app -late -more',
    whole: 'CDS: ack [] version 12; EDS: asks [waiting] version 12',
  },
  'the stream is cut with nothing held': {
    delta: 'CDS: ack, first; LDS: ack, first; RTDS: first +layer held layer=9',
    whole:
      'CDS: first [] version 12; EDS: first [waiting] version 12; LDS: first [] version 9; RTDS: first [layer] version 2',
    ofEnvoy: {
      whole:
        'CDS: first [] version 12; ECDS: first [] version 3; EDS: first [waiting] version 12; LDS: first [] version 9; RDS: first [] version 7; RTDS: first [layer] version 2; SDS: first [] version 4',
      why: 'it asks for types of which it wants nothing, which servers take for everything',
    },
  },
  'all come again': {
    delta: 'CDS: ack; EDS: ack, first +app; LDS: ack; RDS: ack, first +all',
    whole:
      'CDS: ack [] version 13; EDS: ack [app waiting] version 12, asks [app waiting] version 12; LDS: ack [] version 10; RDS: ack [all] version 7, first [all]',
    ofEnvoy: {
      whole:
        'CDS: ack [] version 13; EDS: ack [app waiting] version 12, asks [app waiting] version 12; LDS: ack [] version 10; RDS: ack [all] version 7, asks [all] version 7',
      why: 'it has asked for the types before',
    },
  },
};
