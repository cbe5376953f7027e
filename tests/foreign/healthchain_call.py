"""Calls a CDS service as HealthChain's sandbox client does. Run by that library's own Python.

Standard input: JSON with `url`, `context` and `prefetch`. Prints the answers as JSON.
"""

import json
import sys

from healthchain.sandbox import SandboxClient
from healthchain.sandbox.requestconstructors import CdsRequestConstructor

asked = json.load(sys.stdin)
client = SandboxClient(url=asked["url"], workflow="patient-view")
client.requests.append(
    CdsRequestConstructor().construct_request(asked["prefetch"], workflow=client.workflow, context=asked["context"])
)
print(json.dumps(client.send_requests()))
