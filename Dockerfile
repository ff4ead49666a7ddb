# Both commands, trunkmock and trunkcheck, in one image. It has no tokens: see compose.yaml for how to give it some.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY openapi openapi
COPY mockserver mockserver
COPY conformance conformance
RUN ["python", "-m", "venv", "/opt/trunkkit"]
RUN ["/opt/trunkkit/bin/pip", "install", "--no-cache-dir", "--disable-pip-version-check", ".[redis]"]

FROM python:3.12-slim
COPY --from=build /opt/trunkkit /opt/trunkkit
ENV PATH=/opt/trunkkit/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", "import http.client, sys; it = http.client.HTTPConnection('127.0.0.1', 8080, timeout=2); it.request('GET', '/openapi.json'); sys.exit(it.getresponse().status != 200)"]
CMD ["trunkmock", "--host", "0.0.0.0", "--environments", "/etc/trunkkit/environments.toml"]
