# SPDX-License-Identifier: Apache-2.0
# The bootcamp's backend in small: Flask with the X-Ray SDK, which sends to AWS_XRAY_DAEMON_ADDRESS and
# asks it for sampling rules.
#   SERVICE=backend-flask UPSTREAM=http://127.0.0.1:9999 AWS_XRAY_URL='*.cruddur.test' python3 cruddur.py
# Prints its port, then serves until its standard input ends.
import os
import sys
import threading

import requests
from aws_xray_sdk.core import patch, xray_recorder
from aws_xray_sdk.ext.flask.middleware import XRayMiddleware
from flask import Flask, jsonify
from werkzeug.serving import make_server

app = Flask(__name__)
xray_recorder.configure(service=os.environ['SERVICE'], dynamic_naming=os.getenv('AWS_XRAY_URL'))
XRayMiddleware(app, xray_recorder)
patch(('requests',))


@app.get('/api/activities/home')
@xray_recorder.capture('activities_home')
def home():
    subsegment = xray_recorder.begin_subsegment('mock-data')
    subsegment.put_metadata('key', {'now': '2026-11-20T17:15:11+00:00', 'results-size': 3}, 'namespace')
    xray_recorder.end_subsegment()
    return jsonify([{'handle': 'Andrew Brown', 'message': 'Cloud is very fun!'}])


@app.post('/api/activities')
def create():
    xray_recorder.current_segment().set_user('andrewbrown')
    with xray_recorder.in_subsegment('Create Activity') as subsegment:
        subsegment.put_annotation('handle', 'andrewbrown')
        subsegment.put_annotation('length', 140)
        subsegment.put_annotation('reply', False)
        subsegment.put_metadata('activity', {'message': 'Grüße', 'ttl': '7-days'}, 'cruddur')
        answer = requests.get(os.environ['UPSTREAM'] + '/api/notify', timeout=10)
    return jsonify({'upstream': answer.status_code}), 201


@app.get('/api/notify')
def notify():
    return jsonify([])


@app.get('/api/fail')
def fail():
    with xray_recorder.in_subsegment('mock-data'):
        return str(1 / 0)


server = make_server('127.0.0.1', 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
