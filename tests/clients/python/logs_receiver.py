# SPDX-License-Identifier: Apache-2.0
# A CloudWatch Logs that botocore is the judge of: logs_receiver.py SECRET.  Prints its port, then a line of JSON a
# request: the operation, its input, and what is wrong with it (the signature, or the input against botocore's
# shapes).  The first PutLogEvents finds no group.
import http.server
import json
import sys

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import botocore.validate

service = botocore.session.get_session().get_service_model('logs')
made = set()


def wrong_signature(path, headers, body):
    given = headers['authorization']
    credential, names, signature = [part.split('=', 1)[1] for part in given.split(' ', 1)[1].split(', ')]
    access, _, region, name, _ = credential.split('/')
    signed = {n: headers[n] for n in names.split(';')}
    request = botocore.awsrequest.AWSRequest('POST', 'http://' + headers['host'] + path, signed, body)
    request.context['timestamp'] = headers['x-amz-date']
    token = headers.get('x-amz-security-token')
    auth = botocore.auth.SigV4Auth(botocore.credentials.Credentials(access, sys.argv[1], token), name, region)
    canonical = auth.canonical_request(request)
    mine = auth.signature(auth.string_to_sign(request, canonical), request)
    return [] if mine == signature else ['signature %s is not %s' % (signature, mine)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        operation = self.headers['x-amz-target'].split('.')[1]
        given = json.loads(body)
        wrong = wrong_signature(self.path, self.headers, body)
        report = botocore.validate.ParamValidator().validate(given, service.operation_model(operation).input_shape)
        if report.has_errors():
            wrong.append(report.generate_report())
        answer, status = {}, 200
        if operation == 'PutLogEvents' and 'CreateLogStream' not in made:
            answer, status = {'__type': 'ResourceNotFoundException', 'message': 'The specified log group does not exist.'}, 400
        made.add(operation)
        print(json.dumps({'operation': operation, 'input': given, 'wrong': wrong}), flush=True)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header('content-length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
