// The living tree as a whole: how it begins, what all nodes may read of it, what the caller gets to see.
#include <algorithm>

#include "aggregation.h"
#include "candidates.h"
#include "events.h"
#include "frames.h"
#include "life.h"
#include "mac.h"
#include "mesh.h"
#include "network.h"

namespace teiden {

// Let nodes choose their parents themselves from now on: as members of the network that route() built, or (formed
// false) switched on together, knowing nobody.
void Mesh::live(bool formed) {
  const int32_t count = plane.size(), most = static_cast<int32_t>(config().max_parents);
  std::vector<int32_t> parents(static_cast<size_t>(count) * most);
  std::vector<int64_t> costs(parents.size());
  find_candidates(plane, etx, most, parents.data(), costs.data());
  networks_.fill(count, Network{});
  seats_.fill(count, Seat{});
  int32_t slots = 0;
  for (int32_t place = 0; place < count; ++place) {
    const int32_t id = nodes_[place].id;
    Network& net = networks_[place];
    if (is_sink[id]) {
      net.slots = slots;
      slots += static_cast<int32_t>(config().auth_limit);
      net.pan = id;
      net.cost = net.best_cost = 0;
      net.membership = kJoined;
      continue;
    }
    if (!formed || etx[id] < 0 || etx[id] > kMaxPathCost) {
      parent[id] = -1;
      continue;
    }
    for (int32_t k = 0; k < most && parents[id * most + k] >= 0; ++k) {
      const int32_t other = parents[id * most + k];
      const int64_t own = etx[other];  // below this node's, so it fits
      net.candidates[net.count++] = {place_of_[other], sink_of[other], 0, static_cast<uint16_t>(own),
                                     static_cast<uint16_t>(costs[id * most + k] - own), 0, 0};
    }
    net.parent = place_of_[parent[id]];
    net.pan = net.key_pan = sink_of[id];
    net.cost = net.best_cost = static_cast<uint16_t>(etx[id]);
    net.membership = kJoined;
    seats_[place].parent = seats_[place].before = net.parent;
  }
  auth_slots_.fill(slots, AuthSlot{});
  know_control_frames();
  refresh_tree();
  refresh_world();
  recount();
  for (int32_t place = 0; place < count; ++place) tile_of(place).network_start(place);
}

void Mesh::know_control_frames() {
  if (!living()) return;
  if (!earshot_.laid()) earshot_.lay(plane);
  for (const int64_t bytes : {config().advert_bytes, config().auth_bytes})
    world_.longest = std::max(world_.longest, airtime_us(config(), bytes));
}

void Mesh::seat(const Move& move) {
  seats_[move.node].take(move);
  parent[nodes_[move.node].id] = id_of(move.parent);
}

void Mesh::measure_living_tree() {
  if (!living()) return;
  measure_tree();
  for (size_t id = 0; id < etx.size(); ++id) {
    const Network& net = network(static_cast<int32_t>(id));
    etx[id] = net.membership == kJoined ? net.cost : -1;
  }
}

// Hash of all that a node's place in the tree is made of.
uint64_t Mesh::network_hash(int32_t place, uint64_t lane) const {
  const Network& net = networks_[place];
  uint64_t hash = splitmix64(static_cast<uint64_t>(nodes_[place].id) + lane);
  const auto add = [&](int64_t word) { hash = splitmix64(hash ^ static_cast<uint64_t>(word)); };
  for (const int64_t word :
       {net.timer_at, net.due, net.interval_from, net.since, int64_t{id_of(net.parent)}, int64_t{net.pan},
        int64_t{net.key_pan}, int64_t{net.news}, int64_t{net.news_s}, int64_t{net.epoch_s}, int64_t{net.version},
        int64_t{net.cost}, int64_t{net.best_version}, int64_t{net.best_cost}, int64_t{net.count},
        int64_t{net.membership}, int64_t{net.doublings}, int64_t{net.heard}, int64_t{net.sent}, int64_t{net.rebooted},
        int64_t{net.failures}, int64_t{net.tries}, int64_t{net.acks}, int64_t{net.step}})
    add(word);
  for (int32_t i = 0; i < net.count; ++i) {
    const Candidate& c = net.candidates[i];
    for (const int32_t word : {id_of(c.node), c.pan, int32_t{c.version}, int32_t{c.cost}, int32_t{c.link}, c.heard_s})
      add(word);
  }
  if (net.slots >= 0)
    for (int64_t i = 0; i < config().auth_limit; ++i) {
      add(auth_slots_[net.slots + i].until);
      add(id_of(auth_slots_[net.slots + i].joiner));
    }
  return hash;
}

}  // namespace teiden
