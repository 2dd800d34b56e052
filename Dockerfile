# docker build -t weir .
# docker run -v ./weir.yaml:/etc/weir/weir.yaml:ro -p 8080:8080 weir
#
# In a container the admin API stays on the container's own 127.0.0.1:9901 unless the configuration binds it wider;
# the health check asks it from inside.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY tools/setup tools/setup
RUN tools/setup --build-only
COPY . .
RUN cmake --preset release \
 && cmake --build --preset release --target weir

FROM debian:bookworm-slim
RUN apt-get -q update \
 && apt-get -q -y install --no-install-recommends \
      libuv1 libyaml-cpp0.7 libssl3 libnghttp2-14 libhiredis0.14 libc-ares2 libre2-9 libxxhash0 libfmt9 libspdlog1.10 libstdc++6 \
      ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/weir /usr/bin/weir
COPY --from=build /src/LICENSE /src/tools/package/copyright /usr/share/doc/weir/
# A library that the list above lacks fails the build here, not the container at its start.
RUN ! ldd /usr/bin/weir | grep 'not found'

LABEL org.opencontainers.image.title="weir" \
      org.opencontainers.image.description="An HTTP reverse proxy configured in YAML" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Weir authors"

USER 65532:65532
WORKDIR /etc/weir
EXPOSE 8080 8443 9901
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/bin/weir", "healthcheck"]
ENTRYPOINT ["/usr/bin/weir"]
CMD ["run", "-c", "/etc/weir/weir.yaml"]
