// SPDX-License-Identifier: LGPL-2.1-or-later

// set-policy TARGET POLICY [PORTAL...]: sets the load-balance policy of the session to a target, by
// Windows' number; the paths through these portals are the primaries.

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <sdbus-c++/sdbus-c++.h>

// Made by sdbus-c++-xml2cpp from the interfaces.
#include "com.open_iscsi.WMI1.MSiSCSI_LB_Operations.h"
#include "com.open_iscsi.WMI1.MSiSCSI_QueryLBPolicy.h"
#include "com.open_iscsi.WMI1.Manager.h"
#include "com.open_iscsi.WMI1.Session.h"

namespace wmi = com::open_iscsi::WMI1;

// sdbus-c++ 2 has a type for the names of services; in version 1 they are strings.
#if __has_include(<sdbus-c++/VTableItems.h>)
using ServiceName = sdbus::ServiceName;
#else
using ServiceName = std::string;
#endif

static const ServiceName service("com.open_iscsi.WMI1");
static const std::string root = "/com/open_iscsi/WMI1";

// An object of the service, with those of its interfaces that are used. It waits for no signal, so
// nothing has to be registered.
template <typename... Interfaces> class Object final : public sdbus::ProxyInterfaces<Interfaces...>
{
  public:
    Object(sdbus::IConnection &bus, const std::string &path)
        : sdbus::ProxyInterfaces<Interfaces...>(bus, service, sdbus::ObjectPath(path))
    {
    }
};

using Manager = Object<wmi::Manager_proxy>;
using Session = Object<wmi::Session_proxy>;
using Adapter = Object<wmi::MSiSCSI_QueryLBPolicy_proxy, wmi::MSiSCSI_LB_Operations_proxy>;

// ISCSI_Supported_LB_Policies, as the generated code has it: UniqueSessionId, LoadBalancePolicy,
// iSCSI_PathCount, and the ISCSI_Paths: UniqueConnectionId, EstimatedLinkSpeed, PathWeight,
// PrimaryPath, ConnectionStatus, TCPOffLoadAvailable.
using Policies = decltype(std::declval<Adapter>().LoadBalancePolicies())::value_type;

// The path of the session's object. The session of a target is found by the target's name.
static std::string find_session(sdbus::IConnection &bus, const std::string &target)
{
    using Properties = std::map<std::string, sdbus::Variant>;
    std::map<sdbus::ObjectPath, std::map<std::string, Properties>> objects;

    sdbus::createProxy(bus, service, sdbus::ObjectPath(root))
        ->callMethod("GetManagedObjects")
        .onInterface("org.freedesktop.DBus.ObjectManager")
        .storeResultsTo(objects);
    for (const auto &[path, interfaces] : objects) {
        const auto found = interfaces.find(wmi::Session_proxy::INTERFACE_NAME);

        if (found != interfaces.end() &&
            found->second.at("TargetName").get<std::string>() == target)
            return path;
    }
    throw std::runtime_error("no session to " + target);
}

// An adapter's object is named by its ID.
static std::string adapter_path(std::uint64_t id)
{
    char digits[17];

    std::snprintf(digits, sizeof digits, "%016" PRIx64, id);
    return root + "/adapter/" + digits;
}

// The UniqueConnectionIds of the session's connections through these portals.
static std::vector<std::uint64_t> connections(Session &session,
                                              const std::vector<std::string> &portals)
{
    const auto all = session.Connections();
    std::vector<std::uint64_t> ids;

    for (const auto &portal : portals) {
        const auto before = ids.size();

        for (const auto &connection : all)
            if (std::get<3>(connection) == portal) // the persistent address
                ids.push_back(std::get<0>(connection));
        if (ids.size() == before)
            throw std::runtime_error("no connection through " + portal);
    }
    return ids;
}

// The session's entry of MSiSCSI_QueryLBPolicy, which has one for each session of the adapter.
static Policies query(Adapter &adapter, std::uint64_t session_id)
{
    for (const auto &policies : adapter.LoadBalancePolicies())
        if (std::get<0>(policies) == session_id)
            return policies;
    throw std::runtime_error("the session has gone");
}

static void print(const char *when, const Policies &policies)
{
    std::printf("%s: policy %" PRIu32 "\n", when, std::get<1>(policies));
    for (const auto &path : std::get<3>(policies))
        std::printf("  path %016" PRIx64 " weight %" PRIu32 " primary %" PRIu32 "\n",
                    std::get<0>(path), std::get<2>(path), std::get<3>(path));
}

static int set_policy(const std::string &target, std::uint32_t policy,
                      const std::vector<std::string> &portals)
{
    const auto bus = sdbus::createSystemBusConnection();
    Session session(*bus, find_session(*bus, target));
    Adapter adapter(*bus, adapter_path(session.UniqueAdapterId()));
    const auto primaries = connections(session, portals);
    auto policies = query(adapter, session.UniqueSessionId());

    print("before", policies);

    // What was read goes back with another policy and other primaries. Each path of the session has
    // to be there, once; their order is the order of a failover. PrimaryPath counts for policies 1
    // to 3, PathWeight for policy 5: the lowest is the best, unless Manager.PathWeightOrder says
    // otherwise.
    std::get<1>(policies) = policy;
    for (auto &path : std::get<3>(policies))
        std::get<3>(path) = std::count(primaries.begin(), primaries.end(), std::get<0>(path)) > 0;

    // With a dead path it can take several SCSI timeouts.
    bus->setMethodCallTimeout(std::chrono::minutes(10));
    const auto status = adapter.SetLoadBalancePolicy(policies);
    const auto [symbol, text] = Manager(*bus, root).DescribeStatus(status);

    if (status != 0) {
        std::fprintf(stderr, "set-policy: 0x%08" PRIX32 " %s: %s\n", status, symbol.c_str(),
                     text.c_str());
        return EXIT_FAILURE;
    }
    std::printf("Status: 0x%08" PRIX32 " %s\n", status, symbol.c_str());
    print("after", query(adapter, session.UniqueSessionId()));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    char *end = nullptr;
    const auto policy = argc < 3 ? 0 : std::strtoul(argv[2], &end, 10);

    if (argc < 3 || *end) {
        std::fputs("usage: set-policy TARGET POLICY [PORTAL...]\n", stderr);
        return EXIT_FAILURE;
    }
    try {
        return set_policy(argv[1], policy, {argv + 3, argv + argc});
    } catch (const std::exception &error) {
        std::fprintf(stderr, "set-policy: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
