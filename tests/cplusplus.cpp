// A node over a store in memory, made by a program in C++: it publishes, and reads what it wrote.
#include "gossip/gossip.h"

#include <cstdio>
#include <cstring>
#include <memory>

namespace
{

struct Destroy {
    void operator()(gossip_cluster *cluster) const { gossip_cluster_destroy(cluster); }
    void operator()(gossip_identity *identity) const { gossip_identity_destroy(identity); }
    void operator()(gossip_store *store) const { store->ops->close(store); }
    void operator()(gossip *node) const { gossip_destroy(node); }
};

template <class T> using Owned = std::unique_ptr<T, Destroy>;

bool works(int error, const char *what)
{
    if (error < 0)
        std::fprintf(stderr, "%s: %s\n", what, gossip_strerror(error));
    return error >= 0;
}

} // namespace

int main()
{
    gossip_store *store = nullptr;
    gossip_cluster *cluster = nullptr;
    gossip_identity *identity = nullptr;
    gossip *node = nullptr;
    gossip_event event;
    uint64_t ticket = 0;

    if (!works(gossip_memory_open(&store), "store"))
        return 1;
    Owned<gossip_store> store_owner(store);
    if (!works(gossip_cluster_create(gossip_system_time(), &cluster), "cluster"))
        return 1;
    Owned<gossip_cluster> cluster_owner(cluster);
    if (!works(gossip_identity_create(cluster, "a", 0, gossip_system_time(), &identity), "identity"))
        return 1;
    Owned<gossip_identity> identity_owner(identity);

    gossip_options options = gossip_options();
    options.size = sizeof(options);
    options.store = store;
    options.time = gossip_system_time();
    options.identity = identity;
    if (!works(gossip_create(&options, &node), "node"))
        return 1;
    Owned<gossip> node_owner(node);
    if (!works(gossip_publish(node, "hello", 5, &ticket), "publish") ||
        !works(gossip_run(node), "run") || !works(gossip_event_pop(node, &event), "event"))
        return 1;
    return event.size == 5 && std::memcmp(event.data, "hello", 5) == 0 ? 0 : 1;
}
