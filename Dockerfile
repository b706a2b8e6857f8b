# The web application and its workers, for serving only: no training framework is in it.
#   docker build -t ecglens .
#   docker run -p 8000:8000 -v ecglens:/data ecglens

FROM python:3.12-slim-bookworm AS build
ARG EXTRAS=web,signal,mysql,postgresql,s3,openid
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN awk '/^uv==/ { wanted = 1 } wanted { print } wanted && !/\\$/ { exit }' constraints.txt > uv.txt \
 && pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement uv.txt
COPY src src
COPY deploy/slim.py deploy/slim.py
RUN uv venv --quiet --python /usr/local/bin/python /opt/ecglens \
 && uv pip install --no-cache --python /opt/ecglens/bin/python --constraint constraints.txt ".[${EXTRAS}]" \
 && python deploy/slim.py /opt/ecglens \
 && python -m compileall -q /opt/ecglens/lib \
 && /opt/ecglens/bin/python -c "import importlib.util as u; assert u.find_spec('torch') is None, 'torch is in the image'"

FROM python:3.12-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libmariadb3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin ecglens \
 && install --directory --owner=ecglens --group=ecglens --mode=0700 /data /backups \
 && install --directory /models
COPY --from=build /opt/ecglens /opt/ecglens
ENV PATH=/opt/ecglens/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ECGLENS_CACHE_DIR=/tmp/ecglens \
    ORT_DISABLE_TELEMETRY=1 \
    ECGLENS_DATA_DIR=/data \
    ECGLENS_MODELS_DIR=/models
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/backups"]
EXPOSE 8000
# The name is one that the site answers to; it refuses others.
HEALTHCHECK --interval=30s --timeout=5s --start-period=40s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; host = os.environ.get('ECGLENS_ALLOWED_HOSTS', 'localhost').split(',')[0].strip().lstrip('.'); u.urlopen(u.Request('http://127.0.0.1:8000/readyz', headers={'Host': host}), timeout=4)"]
ENTRYPOINT ["ecglens"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
