"""The service for any WSGI server: `gunicorn wsgi:app`, `waitress-serve wsgi:app`."""

from cds_service.app import create_started_app

app = create_started_app()
