// Ring of the last Depth samples. suspect_i starts a countdown of post_i samples, after which the
// ring is frozen; freeze_i freezes it at once and arm_i starts it again, empty. Frozen, count_o
// samples can be read, the oldest at address 0; first_o is the number of that one.
// Latency: a read takes 1 clock from req_i to ack_o with data_o, sign-extended to 32 bits. Reads
// while the ring runs are acknowledged but return whatever is there. done_o is high for one clock
// when the ring freezes. After reset the ring runs. Depth is a power of two.
module td_capture #(
  parameter int SampleWidth = 24,
  parameter int Depth       = 4096
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          valid_i,
  input  logic signed [SampleWidth-1:0] sample_i,
  input  logic        [47:0]            index_i,    // number of the sample
  input  logic                          suspect_i,
  input  logic                          arm_i,
  input  logic                          freeze_i,
  input  logic [$clog2(Depth)-1:0]      post_i,
  output logic                          frozen_o,
  output logic                          done_o,
  output logic [$clog2(Depth):0]        count_o,
  output logic [47:0]                   first_o,
  input  logic                          req_i,
  input  logic [$clog2(Depth)-1:0]      addr_i,
  output logic                          ack_o,
  output logic [31:0]                   data_o
);
  localparam int PlaceWidth = $clog2(Depth);
  typedef enum logic [1:0] {Run, Finish, Frozen} phase_e;

  phase_e                        phase_q;
  logic [PlaceWidth-1:0]         place_q, left_q, read_place;
  logic [PlaceWidth:0]           count_q;
  logic                          write, stop, done_q, ack_q;
  logic signed [SampleWidth-1:0] ring_q [Depth];
  logic signed [SampleWidth-1:0] read_q;

  assign write = valid_i && phase_q != Frozen;
  assign stop  = phase_q != Frozen && (freeze_i
               || (phase_q == Run && suspect_i && post_i == '0)
               || (phase_q == Finish && valid_i && left_q == PlaceWidth'(1)));

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      phase_q <= Run;
      place_q <= '0;
      left_q  <= '0;
      count_q <= '0;
      first_o <= '0;
      done_q  <= 1'b0;
    end else begin
      done_q <= stop && !arm_i;
      if (write) begin
        place_q <= place_q + 1'b1;
        if (count_q[PlaceWidth]) begin
          first_o <= first_o + 48'd1;
        end else begin
          count_q <= count_q + 1'b1;
          if (count_q == '0) first_o <= index_i;
        end
      end
      if (arm_i) begin
        phase_q <= Run;
        count_q <= '0;
      end else if (stop) begin
        phase_q <= Frozen;
      end else if (phase_q == Run && suspect_i) begin
        phase_q <= Finish;
        left_q  <= post_i;
      end else if (phase_q == Finish && valid_i) begin
        left_q <= left_q - 1'b1;
      end
    end
  end

  // ---- memory: one write port, one registered read port ---------------------------------------
  assign read_place = place_q - count_q[PlaceWidth-1:0] + addr_i;

  always_ff @(posedge clk_i) begin
    if (write) ring_q[place_q] <= sample_i;
    if (req_i) read_q <= ring_q[read_place];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) ack_q <= 1'b0;
    else         ack_q <= req_i;
  end

  assign ack_o    = ack_q;
  assign data_o   = 32'(read_q);
  assign frozen_o = phase_q == Frozen;
  assign done_o   = done_q;
  assign count_o  = count_q;

`ifdef FORMAL
  `include "td_capture.svh"
`endif
endmodule
