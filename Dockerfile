# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin chasqui && cp target/release/chasqui /chasqui

FROM debian:bookworm-slim
RUN useradd --system --uid 7280 --home-dir /data --create-home chasqui
COPY --from=build /chasqui /usr/local/bin/chasqui
USER chasqui
VOLUME /data
EXPOSE 8080
# A terminal-less process logs JSON; SIGTERM drains.
ENTRYPOINT ["chasqui"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--data", "/data"]
