#!/usr/bin/env bash
# Web server and job worker on one machine, for hosts that run one command. When one of them ends, so does the other,
# and the host starts both again.
set -u
cd "$(dirname "$0")/.."

# Its only effect is that `wait` returns.
trap : TERM INT
python manage.py qcluster &
python -m cerply.management.web cerply.wsgi:application --interface wsgi --no-ws --host 0.0.0.0 --port "${PORT:-8080}" \
    --workers "${WEB_WORKERS:-2}" --blocking-threads 1 --respawn-failed-workers &
wait -n
code=$?
kill $(jobs -p) 2>/dev/null
wait
exit "$code"
