# syntax=docker/dockerfile:1
FROM rust:1.95.0-slim-bookworm AS build
# The toolchain of the image, without what rust-toolchain.toml adds for developers.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --features cql-tls --bin chasqui && cp target/release/chasqui /chasqui

FROM debian:bookworm-slim
RUN useradd --system --uid 7280 --user-group --home-dir /data --create-home chasqui
COPY --from=build /chasqui /usr/local/bin/chasqui
# By number, so that an orchestrator can tell that it is not root.
USER 7280:7280
# The environment, since the health check reads the same settings as the server.
ENV CHASQUI_SERVER__LISTEN=0.0.0.0:8080 \
    CHASQUI_STORE__PATH=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["chasqui", "healthcheck"]
# A terminal-less process logs JSON; SIGTERM drains.
ENTRYPOINT ["chasqui"]
CMD ["serve"]
