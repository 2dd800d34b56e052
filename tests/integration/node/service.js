// The service that server and client share: messages are bytes, so that nothing but grpc-js is needed.
const grpc = require('@grpc/grpc-js');

const same = (bytes) => bytes;
const method = (path, requestStream, responseStream) => ({
  path, requestStream, responseStream,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});

exports.grpc = grpc;
exports.service = {
  echo: method('/test.Service/Echo', false, false),
  collect: method('/test.Service/Collect', true, false),
  count: method('/test.Service/Count', false, true),
  chat: method('/test.Service/Chat', true, true),
};
exports.health = { check: method('/grpc.health.v1.Health/Check', false, false) };
exports.limits = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
exports.say = (fact) => process.stdout.write(JSON.stringify(fact) + '\n');
