# Serving only: no training stack, no compiler. Runs as a user without rights on a read-only root; /var/lib/cds is the volume.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.txt pyproject.toml README.md ./
COPY cds_service ./cds_service
RUN python -m venv /opt/cds \
 && /opt/cds/bin/pip install --no-cache-dir --require-hashes -r requirements.txt \
 && /opt/cds/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin cds && install -d -o cds /var/lib/cds
COPY --from=build /opt/cds /opt/cds
WORKDIR /srv/cds
COPY migrations ./migrations
COPY models ./models
COPY wsgi.py ./
ENV PATH=/opt/cds/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CDS_MODELS_DIR=/srv/cds/models \
    CDS_DATABASE_URL=sqlite:////var/lib/cds/cds.db
USER cds
VOLUME /var/lib/cds
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
# Run `cds migrate` once before it: nothing in the image needs a shell.
CMD ["cds", "serve"]
