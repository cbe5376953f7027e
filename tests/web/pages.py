"""A person at a browser, as the tests of pages see them: a client with its cookies, and the forms it was given."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PASSWORD = "correct horse battery staple"
# The patient of the tests, and what the form says of them.
FILLED = {
    "patient_id": "MRN-77",
    "patient_name": "Ada Ejemplo",
    "birth_date": "1955-03-02",
    "sex": "female",
    "respiratory_rate": "26",
    "spo2": "91",
    "on_oxygen": "no",
    "systolic_bp": "132",
    "diastolic_bp": "80",
    "pulse_rate": "128",
    "temperature": "38,4",
    "temperature_unit": "Cel",
    "consciousness": "A",
    "complaint": "shortness of breath",
    "ambulance": "yes",
}


def form_token(page: str) -> str:
    """The secret of the session in a page's form."""
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def send(browser: FlaskClient, address: str, page: str | None = None, /, **fields: Any) -> TestResponse:
    """Send a form as the page at `page` (the address itself unless said otherwise) gave it."""
    token = form_token(browser.get(page or address).get_data(as_text=True))
    return browser.post(address, data={"form_token": token, **fields})


def sign_in(browser: FlaskClient, name: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    """Sign in by the form."""
    return send(browser, "/login", name=name, password=password, **fields)


def text_of(response: TestResponse) -> str:
    """What a person reads: the page without its marks, white space as one blank."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))).replace("&#39;", "'")
