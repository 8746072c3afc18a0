# The shop as an image: Debian, the binary, which needs nothing else, and the stages' files. It runs as a user of its own, with a
# read-only root file system; what it keeps is in /var/lib/emporium/data.
#
#   docker build -t emporium .
ARG BUILDER=rust:1-bookworm
ARG BASE=debian:bookworm-slim

# What both ways to a binary end in.
FROM ${BASE} AS runtime
RUN groupadd --system --gid 10001 emporium \
    && useradd --system --uid 10001 --gid emporium --home-dir /var/lib/emporium --shell /usr/sbin/nologin emporium \
    && install -d -o emporium -g emporium -m 0700 /var/lib/emporium /var/lib/emporium/data
COPY config/*.toml /etc/emporium/
# The stage that runs; mount another file in its place.
RUN cp /etc/emporium/0-single-box.toml /etc/emporium/emporium.toml
ENV EMPORIUM__SERVER__LISTEN=0.0.0.0:8080
USER emporium
WORKDIR /var/lib/emporium
VOLUME /var/lib/emporium/data
EXPOSE 8080
# It is alive as soon as it takes requests: nothing listens before.
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["emporium", "--config", "/etc/emporium/emporium.toml", "health"]
# The process itself is number 1, so that SIGTERM reaches it.
ENTRYPOINT ["emporium", "--config", "/etc/emporium/emporium.toml"]
CMD ["serve"]
LABEL org.opencontainers.image.title="emporium" \
      org.opencontainers.image.description="An online shop in one binary" \
      org.opencontainers.image.licenses="Apache-2.0"

# All libraries, in a layer that stays as long as Cargo.lock does: an empty shop needs the same ones.
FROM ${BUILDER} AS dependencies
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs \
    && cargo build --profile dist --locked --bin emporium

FROM dependencies AS build
COPY askama.toml ./
COPY config config
COPY migrations migrations
COPY src src
# Cargo goes by the time of a change, and the empty shop is newer than the files that were copied.
RUN find src -type f -exec touch {} + && cargo build --profile dist --locked --bin emporium

FROM runtime AS emporium
COPY --from=build /src/target/dist/emporium /usr/local/bin/emporium
