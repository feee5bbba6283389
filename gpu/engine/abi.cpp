// The engine as plain C functions over arrays; gpu/native.py declares them.
#include <cstring>

#include "archive.h"
#include "candidates.h"
#include "events.h"
#include "log_order.h"
#include "mesh.h"

using teiden::HostHeap;
using teiden::Mesh;
using teiden::UseHeap;

namespace {

struct FrameRow {  // gpu/native.py FRAME_ROW
  int64_t injected, first_tx, first_rx;
  int32_t src, dst, psdu_bytes, sink, attempts, offers, copies;
  int16_t hops;
  uint8_t priority, outcome, access_verdict, ack_verdict, pad[2];
};

// Fill one value a node, by id.
struct NetworkRow {  // gpu/native.py NETWORK_ROW
  int64_t since;
  int32_t parent, pan, key_pan, cost, count, version, membership, candidates[teiden::kMaxParents];
};

template <class T, class Get>
void fill(const Mesh& mesh, void* out, Get get) {
  T* to = static_cast<T*>(out);
  for (int32_t id = 0; id < mesh.plane.size(); ++id) to[id] = get(id);
}

template <class T>
void move_out(std::vector<T>& log, void* out) {
  teiden::put_log_in_order(log.begin(), log.end());
  if (!log.empty()) std::memcpy(out, log.data(), log.size() * sizeof(T));
  log.clear();
}

void fill_table(teiden::Array<int64_t>& table, const int64_t* from, int64_t count) { table.copy(from, count); }

}  // namespace

extern "C" {

const char* radio_config_names() { return teiden::kConfigNames; }
// The sizes of the records that kernels share with the host, in bytes: as kernels.cu checks them.
const char* radio_layout_names() { return "tile,windows,world,cells,plane,earshot,network,node,frame,"; }
void radio_layout(int64_t out[9]) {
  const size_t sizes[] = {sizeof(teiden::Tile),    sizeof(teiden::Windows), sizeof(teiden::World),
                          sizeof(teiden::Cells),   sizeof(teiden::Plane),   sizeof(teiden::Earshot),
                          sizeof(teiden::Network), sizeof(teiden::Node),    sizeof(teiden::Frame)};
  for (int i = 0; i < 9; ++i) out[i] = static_cast<int64_t>(sizes[i]);
}
const char* radio_counter_names() { return teiden::kCounterNames; }

Mesh* radio_new(const int64_t* config, const int64_t* log2_table, const int64_t* exp2_table, const int64_t* cost_table,
                const int64_t* gauss_table, int64_t count, const int64_t* x_mm, const int64_t* y_mm,
                const int64_t* extra_lu, HostHeap::More more, int64_t region_bytes, Mesh::Launch launch) {
  Mesh* mesh;
  if (more == nullptr) {
    mesh = new Mesh;
  } else {  // a mesh that kernels run lies in its heap, and the heap in its own first region
    const int64_t own = (sizeof(HostHeap) + 63) / 64 * 64;
    char* region = static_cast<char*>(more(region_bytes));
    if (region == nullptr) return nullptr;
    HostHeap* heap = new (region) HostHeap(more, region_bytes);
    heap->add_region(region + own, region_bytes - own);
    const UseHeap use(heap);
    mesh = new (teiden::grow_block(nullptr, 0, sizeof(Mesh))) Mesh;
    mesh->heap = heap;
    mesh->launch = launch;
  }
  const UseHeap use(mesh->heap);
  teiden::Plane& plane = mesh->plane;
  std::memcpy(&plane.config, config, sizeof(plane.config));
  fill_table(plane.log2_table, log2_table, (1 << teiden::kTableBits) + 1);
  fill_table(plane.exp2_table, exp2_table, (1 << teiden::kTableBits) + 1);
  const int64_t octaves = (teiden::kCostTo - teiden::kCostFrom) >> teiden::kLogBits;
  fill_table(plane.cost_table, cost_table, (octaves << teiden::kCostStepBits) + 1);
  fill_table(plane.gauss_table, gauss_table, teiden::kGaussSize);
  fill_table(plane.x_mm, x_mm, count);
  fill_table(plane.y_mm, y_mm, count);
  fill_table(plane.extra_lu, extra_lu, count);
  return mesh;
}

// The regions of a heap are their giver's to free.
void radio_free(Mesh* mesh) {
  if (mesh->heap == nullptr) {
    delete mesh;
    return;
  }
  const UseHeap use(mesh->heap);
  mesh->~Mesh();
}
// What kernels did so far: launches, windows, how often a tile waited for room in the heap, and a launch in a log.
void radio_launches(const Mesh* mesh, int64_t out[4]) {
  const teiden::Windows& done = mesh->windows();
  out[0] = done.launches, out[1] = done.windows, out[2] = done.stops, out[3] = done.full_logs;
}

// Links sorted by (src, dst); first has one entry a node and one more.
void radio_set_links(Mesh* mesh, const int64_t* first, const int32_t* dst, const int64_t* loss_lu) {
  const UseHeap use(mesh->heap);
  teiden::Plane& plane = mesh->plane;
  const int64_t links = first[plane.size()];
  plane.link_first.copy(first, plane.size() + 1);
  plane.link_dst.copy(dst, links);
  plane.link_loss_lu.copy(loss_lu, links);
  plane.has_links = true;
}

// Once, after the links.
void radio_start(Mesh* mesh, int32_t fast, int32_t threads, int32_t tiles, uint64_t turns) {
  const UseHeap use(mesh->heap);
  mesh->start(fast != 0, threads, tiles, turns);
}

void radio_route(Mesh* mesh, const int32_t* sinks, int64_t count, const uint8_t* usable) {
  const UseHeap use(mesh->heap);
  mesh->route(std::vector<int32_t>(sinks, sinks + count), usable);
}

// Let the tree that was built live: nodes choose their parents themselves; formed 0: they begin by looking for one.
void radio_live(Mesh* mesh, int32_t formed) {
  const UseHeap use(mesh->heap);
  mesh->live(formed != 0);
}
void radio_measure_living_tree(Mesh* mesh) { mesh->measure_living_tree(); }

void radio_network(const Mesh* mesh, NetworkRow* out) {
  for (int32_t id = 0; id < mesh->plane.size(); ++id) {
    const teiden::Network& net = mesh->network(id);
    NetworkRow& row = out[id];
    row = {net.since, mesh->id_of(net.parent), net.pan,   net.key_pan, net.membership == teiden::kJoined ? net.cost : -1,
           net.count, net.version,             net.membership, {}};
    for (int k = 0; k < teiden::kMaxParents; ++k)
      row.candidates[k] = k < net.count ? mesh->id_of(net.candidates[k].node) : -1;
  }
}

void radio_candidates(const Mesh* mesh, int64_t count, int32_t* parents, int64_t* costs) {
  find_candidates(mesh->plane, mesh->etx, static_cast<int32_t>(count), parents, costs);
}

void radio_set_parents(Mesh* mesh, const int32_t* parents, const int32_t* sinks, int64_t count) {
  const UseHeap use(mesh->heap);
  mesh->set_parents(parents, std::vector<int32_t>(sinks, sinks + count));
}

void radio_link_etx(const Mesh* mesh, int64_t count, const int32_t* src, const int32_t* dst, int64_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = mesh->plane.link_etx(src[i], dst[i]);
}

void radio_link_level(const Mesh* mesh, int64_t count, const int32_t* src, const int32_t* dst, int64_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = mesh->plane.level_lu(src[i], dst[i]);
}

// The channel each node listens on at a tick, unless it waits for an ACK.
void radio_channels(const Mesh* mesh, int64_t count, const int32_t* node, int64_t tick, int32_t* out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = teiden::listening_channel(mesh->plane.config, node[i], mesh->pan_of(node[i]), tick);
}

void radio_inject(Mesh* mesh, int64_t count, const int64_t* tick, const int32_t* src, const int32_t* dst,
                  const int32_t* psdu, const uint8_t* priority, const int32_t* max_offers, const int64_t* reoffer_min,
                  const int64_t* reoffer_max) {
  const UseHeap use(mesh->heap);
  mesh->expect_frames(count);
  for (int64_t i = 0; i < count; ++i)
    mesh->inject({tick[i], reoffer_min[i], reoffer_max[i], src[i], dst[i], psdu[i], priority[i], max_offers[i]});
}

// energy_nj null: back on the mains.
void radio_supply(Mesh* mesh, int64_t count, const int32_t* node, const int64_t* tick, const int64_t* energy_nj,
                  const uint8_t* sleeps) {
  const UseHeap use(mesh->heap);
  mesh->change_supply(count, node, tick, energy_nj, sleeps);
}

// backed[node] = 1: losing the mains leaves it on. Before radio_start.
void radio_set_backed(Mesh* mesh, const uint8_t* backed) { mesh->backed.assign(backed, backed + mesh->plane.size()); }

// Return 0, or why kernels could not go on: -1, the heap was too small; else what their launcher said.
int32_t radio_run(Mesh* mesh, int64_t tick) {
  const UseHeap use(mesh->heap);
  mesh->run_until(tick);
  return mesh->failed;
}
int64_t radio_now(const Mesh* mesh) { return mesh->now; }
int64_t radio_first_frame(const Mesh* mesh) { return mesh->first_frame(); }
int64_t radio_end_frame(const Mesh* mesh) { return mesh->end_frame(); }
void radio_forget_ended(Mesh* mesh) {
  const UseHeap use(mesh->heap);
  mesh->forget_ended();
}

void radio_log_sizes(const Mesh* mesh, int64_t out[4]) {
  out[0] = static_cast<int64_t>(mesh->deliveries.size());
  out[1] = static_cast<int64_t>(mesh->ends.size());
  out[2] = static_cast<int64_t>(mesh->deaths.size());
  out[3] = static_cast<int64_t>(mesh->joinings.size());
}

void radio_drain(Mesh* mesh, void* deliveries, void* ends, void* deaths, void* joinings) {
  move_out(mesh->deliveries, deliveries);
  move_out(mesh->ends, ends);
  move_out(mesh->deaths, deaths);
  move_out(mesh->joinings, joinings);
}

void radio_frames(const Mesh* mesh, int64_t count, const int64_t* ids, FrameRow* out) {
  for (int64_t i = 0; i < count; ++i) {
    const teiden::Frame& f = mesh->frame_at(ids[i]);
    const teiden::Kind& kind = mesh->kind_of(f);
    FrameRow& row = out[i];
    row = {};
    row.injected = f.injected, row.first_tx = f.first_tx, row.first_rx = f.first_rx;
    row.src = mesh->id_of(f.src), row.dst = (f.dst < 0 ? f.dst : mesh->id_of(f.dst)), row.sink = f.sink;
    row.psdu_bytes = kind.psdu_bytes, row.priority = static_cast<uint8_t>(kind.priority);
    row.attempts = f.attempts, row.offers = f.offers, row.copies = f.copies, row.hops = f.hops;
    row.outcome = f.outcome, row.access_verdict = f.access_verdict, row.ack_verdict = f.ack_verdict;
  }
}

void radio_counters(const Mesh* mesh, int64_t* out) {
  const teiden::Counters counters = mesh->counters();
  std::memcpy(out, &counters, sizeof(counters));
}

void radio_outcomes(const Mesh* mesh, int64_t out[teiden::kOutcomes]) {
  std::memcpy(out, mesh->outcome_counts(), teiden::kOutcomes * sizeof(int64_t));
}

void radio_digest(const Mesh* mesh, uint64_t out[2]) { mesh->digest(out); }

void radio_parents(const Mesh* mesh, int32_t* out) {
  fill<int32_t>(*mesh, out, [&](int32_t i) { return mesh->parent[i]; });
}
void radio_hops(const Mesh* mesh, int32_t* out) {
  fill<int32_t>(*mesh, out, [&](int32_t i) { return mesh->hops[i]; });
}
void radio_sinks_of(const Mesh* mesh, int32_t* out) {
  fill<int32_t>(*mesh, out, [&](int32_t i) { return mesh->sink_of[i]; });
}
void radio_etx(const Mesh* mesh, int64_t* out) {
  fill<int64_t>(*mesh, out, [&](int32_t i) { return mesh->etx[i]; });
}
void radio_airtime(const Mesh* mesh, int64_t* out) {
  fill<int64_t>(*mesh, out, [&](int32_t i) { return mesh->node(i).airtime; });
}
void radio_alive(const Mesh* mesh, uint8_t* out) {
  fill<uint8_t>(*mesh, out, [&](int32_t i) { return mesh->node(i).alive; });
}
void radio_energy(const Mesh* mesh, int64_t tick, int64_t* out) {
  fill<int64_t>(*mesh, out, [&](int32_t i) { return mesh->energy_nj(i, tick); });
}

// Stored energy spent up to a tick, a node.
void radio_spent(const Mesh* mesh, int64_t tick, int64_t* listening, int64_t* sending, int64_t* receiving,
                 int64_t* asleep) {
  fill<int64_t>(*mesh, listening, [&](int32_t i) { return mesh->spent_listening(i, tick); });
  fill<int64_t>(*mesh, sending, [&](int32_t i) { return mesh->spent_sending(i, tick); });
  fill<int64_t>(*mesh, receiving, [&](int32_t i) { return mesh->spent_receiving(i); });
  fill<int64_t>(*mesh, asleep, [&](int32_t i) { return mesh->spent_asleep(i, tick); });
}

// Write the state into bytes the engine keeps until the next call; return their count.
int64_t radio_save(Mesh* mesh, const char** bytes) {
  const UseHeap use(mesh->heap);
  thread_local teiden::Writer writer;
  writer = teiden::Writer();
  mesh->archive(writer);
  *bytes = writer.bytes.data();
  return static_cast<int64_t>(writer.bytes.size());
}

// Read a state into a mesh of the same plane; return 1 if every byte was used.
int32_t radio_load(Mesh* mesh, const char* bytes, int64_t count) {
  const UseHeap use(mesh->heap);
  teiden::Reader reader(bytes, static_cast<uint64_t>(count));
  mesh->archive(reader);
  if (!reader.whole()) return 0;
  mesh->loaded();
  return 1;
}

}  // extern "C"
