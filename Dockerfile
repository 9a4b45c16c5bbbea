FROM python:3.13-slim-bookworm AS build
RUN pip install --no-cache-dir uv
WORKDIR /app
COPY requirements.lock .
RUN uv venv /venv && uv pip sync --python /venv/bin/python --require-hashes requirements.lock

FROM python:3.13-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-core fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/cerply cerply \
    # A volume that is mounted here becomes its property.
    && install --directory --owner=cerply --group=cerply /var/lib/cerply/media
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MEDIA_ROOT=/var/lib/cerply/media
USER cerply
EXPOSE 8080
ARG IMAGE_REVISION=unknown IMAGE_CREATED=unknown IMAGE_TAG=unknown
ENV IMAGE_REVISION=$IMAGE_REVISION IMAGE_CREATED=$IMAGE_CREATED IMAGE_TAG=$IMAGE_TAG
CMD ["sh", "-c", "exec python -m cerply.management.web cerply.wsgi:application --interface wsgi --no-ws --host 0.0.0.0 --port ${PORT:-8080} --workers ${WEB_WORKERS:-2} --blocking-threads 1 --respawn-failed-workers"]
