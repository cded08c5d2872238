# One image for the HTTP service and the workers: `impasto api`, `impasto worker --device cpu --lanes long`.
#
# Build arguments, all optional; pip reads them under these names:
#   PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS  more places to take packages from, such as one with PyTorch's builds
#                                        for the CPU, which are a tenth of the size; pip prefers those
#   PIP_CERT                             certificate authorities to trust, a file in the base image

FROM docker.io/library/debian:bookworm-slim AS python
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*


# Only the dependencies, so that a change of the code keeps this large layer cached.
FROM python AS dependencies
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*
ARG PIP_CERT
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY constraints.txt pyproject.toml ./
# pip is in an environment of its own, which stays out of the image.
RUN python3 -m venv --without-pip /opt/impasto \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip --python /opt/impasto/bin/python install -c constraints.txt $(/opt/build/bin/python -c \
    'import tomllib; print(*(d.replace(" ", "") for d in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))')


FROM dependencies AS package
COPY . .
RUN /opt/build/bin/pip install -c constraints.txt setuptools \
 && /opt/build/bin/pip wheel --no-build-isolation --no-deps -w /wheels . \
 && /opt/build/bin/pip --python /opt/impasto/bin/python install --no-deps --prefix /opt/package /wheels/*.whl


FROM python
# A fixed number, so that a folder mounted at /data can be given to this user.
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin impasto \
 && install -d -o impasto -g impasto -m 0750 /data
COPY --from=dependencies /opt/impasto /opt/impasto
COPY --from=package /opt/package /opt/impasto
COPY docker/health.py /opt/impasto/health.py
ENV PATH=/opt/impasto/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    IMPASTO_DATA_DIR=/data \
    IMPASTO_HOST=0.0.0.0 \
    IMPASTO_PORT=8000
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of whatever command the container runs. A worker loads torch before it is ready.
HEALTHCHECK --interval=15s --timeout=15s --start-period=120s CMD ["python", "/opt/impasto/health.py"]
ENTRYPOINT ["impasto"]
CMD ["api"]
