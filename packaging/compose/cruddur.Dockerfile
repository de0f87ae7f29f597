# SPDX-License-Identifier: Apache-2.0
#
# Cruddur in a container: built from source on Debian 12, then only its programs, their libraries
# and the page. From the repository's root:
#
#   docker build -f packaging/compose/cruddur.Dockerfile -t cruddur .

FROM debian:12 AS build
WORKDIR /skep
COPY tools/setup-debian.sh tools/setup-debian.sh
RUN tools/setup-debian.sh build
COPY waggle waggle
COPY cruddur cruddur
# The shared libraries that the slim image lacks are taken along, by what the programs say they need.
RUN cmake -S cruddur -B build -G Ninja -DCRUDDUR_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build build \
    && DESTDIR=/out cmake --install build --strip \
    && mkdir -p /out/usr/lib/cruddur \
    && ldd /out/usr/bin/cruddur | awk '$3 ~ /^\// { print $3 }' \
        | grep -vE '/(libc|libm|libpthread|ld-linux[^/]*)\.so' | xargs -I{} cp -L {} /out/usr/lib/cruddur/

FROM debian:12-slim
COPY --from=build /out/usr/ /usr/
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN echo /usr/lib/cruddur > /etc/ld.so.conf.d/cruddur.conf && ldconfig \
    && useradd --system --home-dir /var/lib/cruddur --create-home --shell /usr/sbin/nologin cruddur
USER cruddur
VOLUME /var/lib/cruddur
WORKDIR /var/lib/cruddur
ENTRYPOINT ["/usr/bin/cruddur"]
