// A gRPC server that says on stdout where it listens, and what happens to its calls.
const { grpc, service, health, limits, say } = require('./service');

const first = (call, name) => call.metadata.get(name)[0];

/// What the client sent, in the head and in the trailers.
function mirror(call) {
  const back = new grpc.Metadata();
  for (const name of ['x-text', 'x-raw-bin']) for (const value of call.metadata.get(name)) back.add(name, value);
  return back;
}

function watch(call, name) {
  call.on('cancelled', () => say({ event: 'cancelled', method: name }));
  say({ event: 'begun', method: name, deadline: call.getDeadline() === Infinity ? null : call.getDeadline() - Date.now() });
}

const server = new grpc.Server(limits);
server.addService(service, {
  echo(call, answer) {
    watch(call, 'echo');
    if (first(call, 'x-do') === 'hang') return;
    if (first(call, 'x-do') === 'fail') {
      return answer({ code: grpc.status.FAILED_PRECONDITION, details: 'not now: 100 % über', metadata: mirror(call) });
    }
    call.sendMetadata(mirror(call));
    answer(null, call.request, mirror(call));
  },
  collect(call, answer) {
    watch(call, 'collect');
    let messages = 0, bytes = 0;
    call.on('data', (message) => { messages += 1; bytes += message.length; });
    call.on('end', () => answer(null, Buffer.from(JSON.stringify({ messages, bytes }))));
  },
  count(call) {
    watch(call, 'count');
    const { to, then } = JSON.parse(call.request);
    for (let i = 0; i < to; i++) call.write(Buffer.from(`${i}`));
    if (then !== 'hang') call.end(mirror(call));
  },
  chat(call) {
    watch(call, 'chat');
    call.on('data', (message) => call.write(message));
    call.on('end', () => call.end());
    call.on('error', () => {});
  },
});
const SERVING = 1, NOT_SERVING = 2;
const states = { '': SERVING, 'test.Sick': NOT_SERVING };
server.addService(health, {
  check(call, answer) {
    const service = call.request.subarray(2).toString();  // of the only field
    if (service in states) answer(null, Buffer.from([8, states[service]]));
    else answer({ code: grpc.status.NOT_FOUND });
  },
});
server.bindAsync(process.argv[2], grpc.ServerCredentials.createInsecure(), (error, port) => say({ error, port }));
