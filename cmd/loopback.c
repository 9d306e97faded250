#include "cmd/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "transport/address.h"

enum { BACKLOG = 16 };

const char *loopback_read(const char *text, struct gossip_address *ret_address)
{
    struct address_parts parts;
    struct gossip_address address;
    const char *reason;

    if (address_parse(text, &parts, &reason) < 0)
        return reason;
    if (parts.host == ADDRESS_HOST_NAME)
        return "write the address in digits, as 127.0.0.1:9464 or [::1]:9464";
    if (parts.host == ADDRESS_HOST_EMPTY)
        return "an address of this machine alone is needed, as 127.0.0.1:9464 or [::1]:9464";
    memcpy(address.ip, parts.ip, sizeof(address.ip));
    address.port = parts.port;
    if (!address_is_loopback(&address))
        return "others could reach it; only a loopback address will do, as 127.0.0.1:9464 or "
               "[::1]:9464";
    *ret_address = address;
    return NULL;
}

/* Whether an address, without brackets, is one of loopback. */
static bool is_loopback(int family, const char *text)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct gossip_address address = {{0}, 0};

    if (family == AF_INET6)
        return inet_pton(AF_INET6, text, address.ip) == 1 && address_is_loopback(&address);
    memcpy(address.ip, mapped, sizeof(mapped));
    return inet_pton(AF_INET, text, address.ip + 12) == 1 && address_is_loopback(&address);
}

bool loopback_is_host(const char *host)
{
    bool has_brackets = *host == '[';
    const char *start = host + has_brackets;
    size_t size = strcspn(start, has_brackets ? "]" : ":");
    const char *port = start + size;
    char name[64];

    if (size >= sizeof(name) || (has_brackets && *port++ != ']'))
        return false;
    if (*port && (*port != ':' || strspn(port + 1, "0123456789") != strlen(port + 1)))
        return false;
    memcpy(name, start, size);
    name[size] = '\0';
    if (has_brackets)
        return is_loopback(AF_INET6, name);
    return strcasecmp(name, "localhost") == 0 || is_loopback(AF_INET, name);
}

static bool open_socket(const union socket_address *address, socklen_t size, int *ret_socket)
{
    const int yes = 1;
    int descriptor = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (descriptor < 0)
        return false;
    /* What an earlier node has left of its connections is no reason to refuse the port. */
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
        bind(descriptor, &address->any, size) == 0 && listen(descriptor, BACKLOG) == 0) {
        *ret_socket = descriptor;
        return true;
    }
    int error = errno;

    close(descriptor);
    errno = error;
    return false;
}

static enum exit_code complain_of_port(const char *text)
{
    switch (errno) {
    case EADDRINUSE:
        complain("--http %s: another process uses the port; choose another", text);
        return EXIT_CONFIGURATION;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        complain("--http %s: this machine does not have the address; choose another", text);
        return EXIT_CONFIGURATION;
    default:
        return complain_of_system("cannot listen on --http", text, "choose another port");
    }
}

enum exit_code loopback_listen(const struct gossip_address *address, int *ret_socket,
                               struct gossip_address *ret_address)
{
    char text[GOSSIP_ADDRESS_TEXT_MAX];
    union socket_address socket_address;
    socklen_t size = address_to_socket(address, &socket_address);
    int descriptor;

    gossip_address_to_text(address, text);
    if (!open_socket(&socket_address, size, &descriptor))
        return complain_of_port(text);
    size = sizeof(socket_address);
    if (getsockname(descriptor, &socket_address.any, &size) < 0 ||
        address_from_socket(&socket_address, size, ret_address) < 0) {
        enum exit_code code = complain_of_port(text);

        close(descriptor);
        return code;
    }
    *ret_socket = descriptor;
    return EXIT_OK;
}
