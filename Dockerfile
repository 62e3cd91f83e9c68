# The sidecar's image: one bundle, the node binary it was made for, koffi's native library, libbpf and the programs that it
# loads, and iptables for the init container of a pod. Runs as uid 1337, which redirection exempts (as Istio's rules do), on a
# read-only root:
#   docker run --read-only -v ./bootstrap.yaml:/etc/outrigger.yaml outrigger -c /etc/outrigger.yaml
# Hooks of Istio's injector find it under the name of Istio's agent, too.
# test/docker/image.test.ts follows these lines in a scratch directory.

FROM debian:13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates nodejs npm
WORKDIR /src
COPY package.json package-lock.json LICENSE ./
COPY bin ./bin
COPY bpf ./bpf
COPY build ./build
COPY config ./config
COPY control-plane ./control-plane
COPY native ./native
COPY proxy ./proxy
COPY sampler ./sampler
COPY xds ./xds
# Debian's Node installs; the bundle is made by, and runs with, the Node that is a dependency.
RUN npm ci --no-audit --no-fund
# Only what is loaded at run time.
RUN mkdir /image && cp -r --parents \
    bin dist package.json LICENSE \
    node_modules/node-linux-*/bin/node node_modules/node-linux-*/LICENSE \
    node_modules/koffi/package.json node_modules/koffi/LICENSE.txt node_modules/koffi/index.cjs \
    node_modules/koffi/src/koffi/index.cjs node_modules/koffi/src/koffi/src/static.cjs \
    node_modules/@koromix/koffi-linux-*/package.json node_modules/@koromix/koffi-linux-*/index.js \
    node_modules/@koromix/koffi-linux-*/linux_* \
    /image
# Node keeps compiled code by user: the name of its cache ends in the uid.
RUN for cache in /image/dist/cache/*; do mv "$cache" "${cache%-*}-1337"; done

# Programs for the kernel, of the types of the kernel that this runs on. Those of a release are signed: they are taken as
# they came (CONTRIBUTING.md, "Releases").
FROM build AS objects
RUN apt-get update && apt-get install -y --no-install-recommends bpftool clang libbpf-dev llvm
RUN test -e bpf/objects/manifest.json.sig || sh build/with-node.sh node build/bpf-programs.ts

FROM debian:13-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates iptables libbpf1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /image /opt/outrigger
COPY --from=objects /src/bpf/objects /opt/outrigger/bpf/objects
RUN for name in outrigger pilot-agent; do ln -s ../../../opt/outrigger/bin/outrigger "/usr/local/bin/$name"; done
USER 1337:1337
ENTRYPOINT ["/opt/outrigger/bin/outrigger"]
