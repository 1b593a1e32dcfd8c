# `dss` as a command: docker build -t dss . && docker run --rm -v "$PWD:/audio" dss separate in.wav
#
# Files that it writes belong to the user 1000; another one: docker run --user "$(id -u):$(id -g)" ...

FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY dss_cli dss_cli
COPY configs configs
COPY models models
COPY share share
RUN python -m venv /opt/dss && /opt/dss/bin/pip install --no-cache-dir .

FROM python:3.12-slim
COPY --from=build /opt/dss /opt/dss
RUN useradd --uid 1000 --create-home dss
ENV PATH="/opt/dss/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
USER dss
WORKDIR /audio
ENTRYPOINT ["dss"]
CMD ["--help"]
