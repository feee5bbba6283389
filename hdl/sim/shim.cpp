// C interface around the Verilated front-end: samples in blocks, register access through real
// AXI4-Lite handshakes. Simulated time (tick_i) passes in td_push alone.
#include <cstdint>
#include <memory>

#include "Vtd_pins.h"
#include "Vtd_pins___024root.h"
#include "verilated.h"
#ifdef TD_TRACE
#include "verilated_fst_c.h"
#endif

// Of the generated code: what is triggered, and what that sets off. eval() repeats both until nothing is triggered, and
// takes locks; the RTL makes no clock of its own, so one round settles it, in a sixth less time.
bool Vtd_pins___024root___eval_phase__act(Vtd_pins___024root* root);
bool Vtd_pins___024root___eval_phase__nba(Vtd_pins___024root* root);

namespace {

constexpr int kBusClocks = 64;  // an access takes 8; more means that the bus hangs

struct Board {
    VerilatedContext context;
    std::unique_ptr<Vtd_pins> top;
#ifdef TD_TRACE
    VerilatedFstC trace;
#endif
    int clocks_per_sample;
    int trigger_left = 0;  // ticks the trigger line stays high

    Board(int clocks, const char* trace_path) : clocks_per_sample(clocks) {
        context.traceEverOn(trace_path != nullptr);
        top = std::make_unique<Vtd_pins>(&context, "td_frontend");
#ifdef TD_TRACE
        top->trace(&trace, 99);
        trace.open(trace_path);
#endif
        top->clk_i = 1;
        top->rst_ni = 0;
        top->eval();  // the first sets the model up
        load();
        run_clocks(4);
        top->rst_ni = 1;
        load();
        clock();
    }

    ~Board() {
#ifdef TD_TRACE
        trace.close();
#endif
        top->final();
    }

    void evaluate() {
#ifdef TD_EVERY_CLOCK
        top->eval();
#else
        Vtd_pins___024root___eval_phase__act(top->rootp);
        Vtd_pins___024root___eval_phase__nba(top->rootp);
#endif
    }

    void load() {  // the design sees what was written to the pins
        top->load_i = !top->load_i;
        evaluate();
    }

    void edge() {
        top->clk_i = !top->clk_i;
        evaluate();
#ifdef TD_TRACE
        trace.dump(context.time());
        context.timeInc(1);
#endif
    }

    void clock() {
#ifdef TD_EVERY_CLOCK
        edge();  // falling
#endif
        edge();  // else either edge counts, hdl/sim/wakes.py
    }

    void run_clocks(int count) {
        for (int k = 0; k < count; k++) clock();
    }

    // A clock with simulated time; fresh: a pin was written.
    void tick(bool fresh) {
        const bool high = trigger_left > 0;
        if (high) trigger_left--;
        if (fresh || high != bool(top->trig_i)) {
            top->trig_i = high;
            load();
        }
        clock();
    }

    // Returns false if the bus hangs; address and data are taken independently.
    bool write(uint32_t address, uint32_t value) {
        bool address_done = false, data_done = false;
        top->s_axil_awaddr = address;
        top->s_axil_wdata = value;
        top->s_axil_bready = 1;
        bool answered = false;
        for (int k = 0; k < kBusClocks && !answered; k++) {
            top->s_axil_awvalid = !address_done;
            top->s_axil_wvalid = !data_done;
            load();
            const bool address_taken = top->s_axil_awvalid && top->s_axil_awready;
            const bool data_taken = top->s_axil_wvalid && top->s_axil_wready;
            answered = top->s_axil_bvalid;
            clock();
            address_done |= address_taken;
            data_done |= data_taken;
        }
        top->s_axil_awvalid = 0;
        top->s_axil_wvalid = 0;
        top->s_axil_bready = 0;
        load();
        run_clocks(2);  // single-pulse fields have acted when the call returns
        return answered;
    }

    bool read(uint32_t address, uint32_t* value) {
        bool address_done = false, answered = false;
        top->s_axil_araddr = address;
        top->s_axil_rready = 1;
        for (int k = 0; k < kBusClocks && !answered; k++) {
            top->s_axil_arvalid = !address_done;
            load();
            const bool address_taken = top->s_axil_arvalid && top->s_axil_arready;
            answered = top->s_axil_rvalid;
            *value = top->s_axil_rdata;
            clock();
            address_done |= address_taken;
        }
        top->s_axil_arvalid = 0;
        top->s_axil_rready = 0;
        load();
        return answered;
    }
};

}  // namespace

#define TD_API __attribute__((visibility("default")))

extern "C" {

TD_API void* td_new(int clocks_per_sample, const char* trace_path) { return new Board(clocks_per_sample, trace_path); }

TD_API void td_delete(void* board) { delete static_cast<Board*>(board); }

TD_API int td_irq(void* board) { return static_cast<Board*>(board)->top->irq_o; }

// An edge on the line of the time tick, and a code of the hold-up capacitor's ADC, between two samples.
TD_API void td_minute(void* board) {
    Board& b = *static_cast<Board*>(board);
    for (int level : {1, 0}) {
        b.top->minute_i = level;
        b.load();
        b.run_clocks(4);
    }
}

TD_API void td_holdup(void* board, int code) {
    Board& b = *static_cast<Board*>(board);
    b.top->holdup_code_i = static_cast<uint16_t>(code);
    b.top->holdup_valid_i = 1;
    b.load();
    b.clock();
    b.top->holdup_valid_i = 0;
    b.load();
    b.run_clocks(16);
}

TD_API int td_last_gasp(void* board) { return static_cast<Board*>(board)->top->last_gasp_o; }

TD_API int td_breaker_closed(void* board) { return static_cast<Board*>(board)->top->breaker_closed_o; }

// Returns the number of samples consumed. With stop_on_irq it ends behind the sample in whose
// clocks the interrupt line rose. samples holds rows of u1, i1, u2, i2.
TD_API int64_t td_push(void* board, const int32_t* samples, int64_t count, int64_t trigger_sample, int trigger_clock,
                       int stop_on_irq) {
    Board& b = *static_cast<Board*>(board);
    bool line = b.top->irq_o;
    b.top->tick_i = 1;
    int64_t n = 0;
    bool stop = false;
    while (n < count && !stop) {
        const int32_t* row = samples + 4 * n;
        b.top->u1_i = static_cast<uint32_t>(row[0]) & 0xFFFFFF;
        b.top->i1_i = static_cast<uint32_t>(row[1]) & 0xFFFFFF;
        b.top->u2_i = static_cast<uint32_t>(row[2]) & 0xFFFFFF;
        b.top->i2_i = static_cast<uint32_t>(row[3]) & 0xFFFFFF;
        for (int k = 0; k < b.clocks_per_sample; k++) {
            if (n == trigger_sample && k == trigger_clock) b.trigger_left = b.clocks_per_sample;
            b.top->valid_i = k == 0;
            b.tick(k <= 1);
            stop |= stop_on_irq && b.top->irq_o && !line;
            line = b.top->irq_o;
        }
        n++;
    }
    b.top->tick_i = 0;
    b.load();
    return n;
}

// 1: done, 0: no answer on the bus.
TD_API int td_read(void* board, uint32_t address, int64_t count, uint32_t* values) {
    for (int64_t k = 0; k < count; k++) {
        if (!static_cast<Board*>(board)->read(address + 4 * static_cast<uint32_t>(k), values + k)) return 0;
    }
    return 1;
}

TD_API int td_write(void* board, uint32_t address, uint32_t value) {
    return static_cast<Board*>(board)->write(address, value);
}

// Takes words of the capture's stream up to the end of its packet and returns their number; -1 if
// none comes for kBusClocks or the packet is longer than count.
TD_API int64_t td_stream(void* board, int64_t count, uint32_t* words) {
    Board& b = *static_cast<Board*>(board);
    Vtd_pins& top = *b.top;
    top.m_axis_tready = 1;
    b.load();
    int64_t n = 0;
    int quiet = 0;
    bool last = false;
    while (!last && n < count && quiet < kBusClocks) {
        quiet = top.m_axis_tvalid ? 0 : quiet + 1;
        if (top.m_axis_tvalid) {
            words[n++] = top.m_axis_tdata;
            last = top.m_axis_tlast;
        }
        b.clock();
    }
    top.m_axis_tready = 0;
    b.load();
    return last ? n : -1;
}

}  // extern "C"
