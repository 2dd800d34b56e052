// node client.js ADDRESS CALL [CA]: makes a gRPC call, or many, and says on stdout what came of it.
const fs = require('fs');
const readline = require('readline');
const { grpc, service, limits, say } = require('./service');

const [address, what, ca] = process.argv.slice(2);
const credentials = ca ? grpc.credentials.createSsl(fs.readFileSync(ca)) : grpc.credentials.createInsecure();
const options = { ...limits, ...(ca ? { 'grpc.ssl_target_name_override': 'a.test' } : {}) };
const client = new (grpc.makeGenericClientConstructor(service, 'test.Service'))(address, credentials, options);

const metadata = (fields) => {
  const all = new grpc.Metadata();
  for (const [name, value] of Object.entries(fields || {})) all.add(name, value);
  return all;
};
const raw = Buffer.from([0, 1, 2, 253, 254, 255]);
const mirrored = (fields) => fields && { text: fields.get('x-text'), raw: fields.get('x-raw-bin').map((b) => b.toString('hex')) };
const told = (error) => error && { code: error.code, details: error.details, metadata: mirrored(error.metadata) };

function echo(message, fields, options) {
  return new Promise((resolve) => {
    const fact = {};
    const call = client.echo(message, metadata(fields), options || {}, (error, answer) => Object.assign(fact, { error: told(error), answer }));
    call.on('metadata', (head) => { fact.head = mirrored(head); });
    call.on('status', (status) => { fact.status = { code: status.code, metadata: mirrored(status.metadata) }; resolve(fact); });
  });
}

/// The messages and the end of a call that answers with a stream.
function drained(call) {
  return new Promise((resolve) => {
    const messages = [];
    call.on('data', (message) => messages.push(message));
    call.on('error', () => {});
    call.on('status', (status) => resolve({ messages, code: status.code, details: status.details }));
  });
}

const calls = {
  async unary() {
    const { error, answer, head, status } = await echo(Buffer.from('hello'), { 'x-text': 'plain', 'x-raw-bin': raw });
    say({ error, answer: answer.toString(), head, status });
  },
  async large() {
    const message = Buffer.alloc(1 << 20, 'abcdefghijk');
    const { error, answer } = await echo(message);
    say({ error, same: !error && message.equals(answer) });
  },
  async fail() { say(await echo(Buffer.from('x'), { 'x-do': 'fail', 'x-text': 'plain', 'x-raw-bin': raw })); },
  async deadline() { say(await echo(Buffer.from('x'), { 'x-do': 'hang' }, { deadline: Date.now() + 300 })); },
  /// Asks for a deadline as the protocol has it, without one of the client's own: Weir's is what ends it.
  async bare_deadline() { say(await echo(Buffer.from('x'), { 'x-do': 'hang', 'grpc-timeout': '300m' })); },
  async hang() { say(await echo(Buffer.from('x'), { 'x-do': 'hang' })); },
  async collect() {
    const answer = await new Promise((resolve, reject) => {
      const call = client.collect((error, message) => (error ? reject(error) : resolve(JSON.parse(message))));
      for (let i = 0; i < 1000; i++) call.write(Buffer.alloc(100, 'x'));
      call.end();
    });
    say(answer);
  },
  async count() {
    const { messages, code } = await drained(client.count(Buffer.from('{"to": 1000}')));
    say({ messages: messages.map(Number), code });
  },
  async count_then_hang() {
    const call = client.count(Buffer.from('{"to": 3, "then": "hang"}'), metadata({ 'grpc-timeout': '500m' }));
    const { messages, code, details } = await drained(call);
    say({ messages: messages.map(Number), code, details });
  },
  async endless() {
    const call = client.count(Buffer.from('{"to": 3, "then": "hang"}'));
    call.on('data', (message) => say({ message: Number(message) }));
    const { code, details } = await drained(call);
    say({ code, details });
  },
  /// Each message is sent when the answer to the one before has come, then a hundred at once.
  async chat() {
    const call = client.chat();
    let got = 0;
    call.on('data', (message) => {
      if (Number(message) !== got) throw new Error(`${message} in place of ${got}`);
      got += 1;
      if (got < 100) return call.write(Buffer.from(`${got}`));
      if (got === 100) for (let i = 100; i < 200; i++) call.write(Buffer.from(`${i}`));
      if (got === 200) call.end();
    });
    const end = drained(call);
    call.write(Buffer.from('0'));
    say({ code: (await end).code, got });
  },
  /// Says what comes back for each line of stdin, and ends with it.
  async talk() {
    const call = client.chat();
    call.on('data', (message) => say({ message: message.toString() }));
    const end = drained(call);
    readline.createInterface({ input: process.stdin }).on('line', (line) => call.write(Buffer.from(line))).on('close', () => call.end());
    const { code, details } = await end;
    say({ code, details });
  },
  async cancel() {
    const call = client.chat();
    const end = drained(call);
    call.once('data', () => { call.cancel(); });
    call.write(Buffer.from('x'));
    say({ code: (await end).code });
  },
  async many() {
    const each = (i) => {
      const call = client.chat();
      const end = drained(call);
      call.once('data', () => { for (let j = 0; j < 20; j++) call.write(Buffer.from(`${i}`)); call.end(); });
      call.write(Buffer.from(`${i}`));
      return end.then(({ messages, code }) => code === 0 && messages.length === 21 && messages.every((m) => Number(m) === i));
    };
    const good = await Promise.all(Array.from({ length: 100 }, (_, i) => each(i)));
    say({ good: good.filter(Boolean).length });
  },
};

calls[what]().then(() => client.close());
