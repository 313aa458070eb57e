# Sevengate as an image: Debian 13 with its NGINX and Lua module, and Sevengate with the packages of requirements.txt.
#
#     docker build --tag sevengate:0.1.0 .
#
# One image runs both containers of a pod: `controller` and `dataplane` are its arguments. `make image` follows these
# steps without a container engine, and proves the result.

FROM debian:trixie-slim AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv
WORKDIR /src
COPY requirements.txt tools/wheel.txt ./
# Copies of Python and not links, since one of them gets a capability. pip stays behind in /build.
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes --requirement wheel.txt \
 && python3 -m venv --copies --without-pip /opt/sevengate \
 && /build/bin/pip --python /opt/sevengate/bin/python3 install --no-cache-dir --only-binary :all: --require-hashes \
      --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY sevengate ./sevengate
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
 && /build/bin/pip --python /opt/sevengate/bin/python3 install --no-cache-dir --no-deps /dist/*.whl

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="Sevengate" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 101 sevengate \
 && useradd --uid 101 --gid 101 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sevengate \
 && install --directory --owner 101 --group 101 --mode 700 /run/sevengate \
 && apt-get update \
 && apt-get install --yes --no-install-recommends \
      ca-certificates libcap2-bin libnginx-mod-http-lua lua-cjson lua-resty-core lua-resty-lrucache nginx python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/sevengate /opt/sevengate
# Ports 80 and 443 for a user who is not root, where no sysctl opens them: on the host's network. With
# `allowPrivilegeEscalation: false` a program passes on what the container was given and nothing more. NGINX has to
# have it in effect (e). Python only hands it on (p), and starts as well in the container that was given none.
RUN setcap cap_net_bind_service=+ep /usr/sbin/nginx \
 && setcap cap_net_bind_service=+p /opt/sevengate/bin/python3
ENV PATH=/opt/sevengate/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV PYTHONDONTWRITEBYTECODE=1
USER 101:101
EXPOSE 80 443 8181 8443 10246 10254
ENTRYPOINT ["/opt/sevengate/bin/python3", "-I", "-m", "sevengate"]
CMD ["--help"]
