# Runs with a read-only root file system: what is written goes to /tmp, /dev/shm and MEDIA_ROOT.
FROM python:3.13-slim-bookworm AS build
RUN pip install --no-cache-dir "uv==0.13.*"
WORKDIR /app
COPY requirements-production.lock .
RUN uv venv /venv \
    && uv pip sync --python /venv/bin/python --require-hashes --compile-bytecode requirements-production.lock

FROM python:3.13-slim-bookworm
# Debian's packages as they are on the day: they get security fixes alone.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig fonts-noto-core fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/cerply cerply \
    # A volume that is mounted here becomes its property.
    && install --directory --owner=cerply --group=cerply /var/lib/cerply/media
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
RUN python -m compileall -q .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/tmp MEDIA_ROOT=/var/lib/cerply/media
USER 10001
EXPOSE 8080
ARG IMAGE_REVISION=unknown IMAGE_CREATED=unknown IMAGE_TAG=unknown
ENV IMAGE_REVISION=$IMAGE_REVISION IMAGE_CREATED=$IMAGE_CREATED IMAGE_TAG=$IMAGE_TAG
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT', 8080)}/api/health/live\", timeout=4)"]
CMD ["sh", "-c", "exec python -m cerply.management.web cerply.wsgi:application --interface wsgi --no-ws --host 0.0.0.0 --port ${PORT:-8080} --workers ${WEB_WORKERS:-2} --blocking-threads 1 --respawn-failed-workers"]
