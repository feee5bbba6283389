// Serial restoring divider and root on one subtractor: one bit of the quotient a clock, then, of a square, one bit
// of its root a clock. divisor_i stays as it is until done_o; size_i is taken with start_i.
//   Ratio   quotient_o = size_i 2^20 / divisor_i       48 clocks
//   Mean    quotient_o = size_i 2^24 / divisor_i       52 clocks
//   Square  root_o = root of size_i 2^32 / divisor_i   90 clocks
// Both round down. size_i / 2^28 must be below divisor_i, so the quotient fits.
// Latency: done_o is high for one clock, the clocks above + 1 after start_i. quotient_o holds until the next start_i,
// root_o until the root of the next square begins, 60 clocks after its start_i. A start_i while busy starts over.
module td_divide_root (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        start_i,
  input  logic [1:0]  kind_i,      // 0 ratio, 1 mean, 2 square
  input  logic [54:0] size_i,
  input  logic [25:0] divisor_i,
  output logic        done_o,
  output logic [59:0] quotient_o,
  output logic [29:0] root_o
);
  localparam logic [5:0] RootBits = 6'd30;

  logic [59:0] quotient_q;
  logic [29:0] remainder_q, root_q;
  logic [5:0]  left_q;
  logic        square_q, rooting_q;  // a root is wanted; it is being drawn
  logic [31:0] shifted, trial;
  logic [32:0] rest;
  logic        fits, last, turn;

  assign shifted    = rooting_q ? {remainder_q, quotient_q[59:58]} : {5'd0, remainder_q[25:0], quotient_q[59]};
  assign trial      = rooting_q ? {root_q, 2'b01} : {6'd0, divisor_i};
  assign rest       = {1'b0, shifted} - {1'b0, trial};
  assign fits       = !rest[32];
  assign last       = left_q == 6'd1;
  assign turn       = last && square_q && !rooting_q;
  assign quotient_o = quotient_q;
  assign root_o     = root_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q    <= '0;
      square_q  <= 1'b0;
      rooting_q <= 1'b0;
      done_o    <= 1'b0;
    end else begin
      done_o <= !start_i && last && !turn;
      if (start_i) begin
        left_q    <= kind_i[1] ? 6'd60 : (kind_i[0] ? 6'd52 : 6'd48);
        square_q  <= kind_i[1];
        rooting_q <= 1'b0;
      end else if (turn) begin
        left_q    <= RootBits;
        rooting_q <= 1'b1;
      end else if (left_q != '0) begin
        left_q <= left_q - 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i)            remainder_q <= 30'(size_i[54:28]);
    else if (turn)          remainder_q <= '0;
    else if (left_q != '0) remainder_q <= fits ? rest[29:0] : shifted[29:0];
  end

  always_ff @(posedge clk_i) begin
    if (start_i)            quotient_q <= {size_i[27:0], 32'd0};
    else if (left_q != '0) quotient_q <= rooting_q ? quotient_q << 2 : {quotient_q[58:0], fits};
  end

  always_ff @(posedge clk_i) begin
    if (turn)                            root_q <= '0;
    else if (rooting_q && left_q != '0) root_q <= {root_q[28:0], fits};
  end
endmodule
