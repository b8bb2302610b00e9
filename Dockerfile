# The service in a container: docker build -t lightdet . ; how to run it stands in docs/service.md.
FROM python:3.13-slim-trixie

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LIGHTDET_HOST=0.0.0.0 \
    LIGHTDET_DATABASE=/data/inspections.sqlite3

RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin lightdet \
    && install -d -o lightdet -g lightdet /data

WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY lightdet ./lightdet
COPY packaging ./packaging
# Exported models alone (.onnx, .xml), without torch: each package in the version, and with the hash, of runtime.txt, which
# packaging/lock.py writes. Dockerfile.gpu serves .safetensors on a GPU.
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r packaging/docker/runtime.txt \
    && pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation ./packaging/runtime \
    && rm -rf /build/*

USER lightdet
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["lightdet", "serve"]
CMD ["/models/model.onnx"]
