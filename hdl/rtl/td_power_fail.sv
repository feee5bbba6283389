// Power-fail detector: quadrature envelope, its ratio to one tracked period earlier, persistence.
//   v = top 18 bits of the sample         s = v[n] + v[n-2]
//   d = ((v[n] - v[n-2]) k_i) >> 8, clamped to 20 bits         E = (s s + d d) >> 8
//   below = (E < drop_i and 256 E < ratio_i max(E[n - period_i], floor_i)) or E < low_i
// idle -> suspect when below held for persist_i samples in a row; confirm_i samples later it is
// confirmed if below still holds that long, else Urms(1/2) decides: one below confirm_rms_i confirms, and
// one that is not, MoreSamples or more after that, withdraws (idle again): by then its cycle, which was
// published 24 samples after its end, lies behind the fall at any frequency 10 % off. From confirmed, and from off after a reset or with
// enable_i low, idle comes back once Urms(1/2) has been at or above return_rms_i for return_i
// samples; only the way from confirmed makes an event.
//
// event_o is high for one clock, 17 clocks after valid_i, with kind_o: 1 suspect, 2 confirmed,
// 3 withdrawn, 4 return. envelope_o and below_o are those of the last sample from then on.
// Limits: persist_i >= 1; return_i >= 256, the memory of the envelope; 17 clocks a sample.
module td_power_fail #(
  parameter int SampleWidth = 24
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          enable_i,
  input  logic                          valid_i,
  input  logic signed [SampleWidth-1:0] sample_i,       // ADC codes
  input  logic        [7:0]             period_i,       // samples
  input  logic                          publish_i,      // urms_i is new
  input  logic                          urms_valid_i,
  input  logic        [27:0]            urms_i,         // 1/16 ADC code
  input  logic        [12:0]            k_i,            // 1/256
  input  logic        [31:0]            drop_i,         // envelope units
  input  logic        [31:0]            low_i,          // envelope units
  input  logic        [31:0]            floor_i,        // envelope units
  input  logic        [7:0]             ratio_i,        // 1/256
  input  logic        [4:0]             persist_i,      // samples
  input  logic        [15:0]            confirm_i,      // samples
  input  logic        [27:0]            confirm_rms_i,  // 1/16 ADC code
  input  logic        [27:0]            return_rms_i,   // 1/16 ADC code
  input  logic        [15:0]            return_i,       // samples
  output logic                          busy_o,
  output logic        [1:0]             state_o,
  output logic                          below_o,
  output logic        [31:0]            envelope_o,
  output logic                          event_o,
  output logic        [3:0]             kind_o
);
  localparam int VoltWidth = 18;

  // ---- one step a clock after the sample: two 18 x 18 multipliers, each with an adder behind ----------
  // One makes 4 h k + l k of the difference 4 h + l, then 16 h h + 8 h l + l l of d, from the left, so that the
  // sum moves up by 2 bits with every product. The other one adds up v v, v w, v w and w w of the two voltages.
  logic [16:1] step_q;  // one-hot
  logic signed [VoltWidth-1:0] volt, volt1_q, volt2_q, volt3_q;
  logic signed [19:0] turned_q;  // the difference, then d
  logic signed [17:0] high, low_a, left, right, one, other;
  logic [1:0] rest;
  logic signed [35:0] turned_product_q, square_product_q;
  logic signed [39:0]          product_q;
  logic signed [38:0]          square_q;
  logic        [31:0]          envelope_q;

  assign volt  = sample_i[SampleWidth-1-:VoltWidth];
  assign high  = turned_q[19:2];
  assign rest  = turned_q[1:0];
  assign low_a = {16'd0, rest};
  assign left  = step_q[2] || step_q[7] ? low_a : high;
  assign one   = step_q[4] ? volt3_q : volt1_q;
  assign other = step_q[1] ? volt1_q : volt3_q;

  always_comb begin
    right = {5'd0, k_i};
    if (step_q[5]) right = high;
    else if (step_q[6]) right = {15'd0, rest, 1'b0};
    else if (step_q[7]) right = low_a;
  end

  function automatic logic signed [19:0] clamp(input logic signed [31:0] wide);
    clamp = wide[19:0];
    if (wide > 32'sd524287) clamp = 20'sd524287;
    else if (wide < -32'sd524288) clamp = -20'sd524288;
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      step_q     <= '0;
      volt1_q    <= '0;
      volt2_q    <= '0;
      volt3_q    <= '0;
      turned_q   <= '0;
      envelope_q <= '0;
    end else begin
      step_q <= {step_q[15:1], valid_i};
      if (valid_i) begin
        volt1_q  <= volt;
        volt2_q  <= volt1_q;
        volt3_q  <= volt2_q;
        turned_q <= 20'(volt) - 20'(volt2_q);
      end
      if (step_q[4]) turned_q <= clamp(product_q[39:8]);
      if (step_q[9]) envelope_q <= 32'((39'(square_q) + product_q[38:0]) >> 8);
    end
  end

  always_ff @(posedge clk_i) begin
    turned_product_q <= left * right;
    square_product_q <= one * other;
    if (step_q[1] || step_q[5]) product_q <= '0;
    else if (step_q[3:2] != '0 || step_q[8:6] != '0) product_q <= 40'(turned_product_q) + (product_q <<< 2);
    if (step_q[1]) square_q <= '0;
    else if (step_q[5:2] != '0) square_q <= square_q + 39'(square_product_q);
  end

  assign busy_o     = step_q != '0;
  assign envelope_o = envelope_q;

  // ---- envelope one tracked period earlier ------------------------------------------------------
  logic [31:0] line_q[256];
  logic [7:0] place_q, earlier_place_q;
  logic [31:0] read_q, earlier_q, former_q, floor_q, reference;  // the third is 0 but for the floor's clock
  logic [23:0] bound_low_q, bound_high_q;
  logic [39:0] bound_q;
  // The envelope less each limit: its sign tells, in smaller LUTs than a comparison.
  logic [32:0] beside_drop, beside_low;
  logic [33:0] beside_ratio;  // of the ratio's limit, twice, rounded up
  logic under_drop_q, under_ratio_q, under_low_q;
  logic below_d, below_q;
  logic [4:0] row_d, row_q;  // samples below in a row, up to persist_i
  logic tripped;

  assign below_d = (under_drop_q && under_ratio_q) || under_low_q;
  assign row_d   = !below_d ? 5'd0 : (row_q >= persist_i ? persist_i : row_q + 1'b1);
  assign tripped = row_q >= persist_i;
  assign below_o = below_q;
  assign reference = former_q | floor_q;

  assign beside_drop  = {1'b0, envelope_q} - {1'b0, drop_i};
  assign beside_low   = {1'b0, envelope_q} - {1'b0, low_i};
  assign beside_ratio = {1'b0, envelope_q, 1'b0} - {1'b0, bound_q[39:8], bound_q[7:0] != '0};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      place_q <= '0;
      below_q <= 1'b0;
      row_q   <= '0;
    end else if (step_q[15]) begin
      below_q <= below_d;
      row_q   <= row_d;
      place_q <= place_q + 1'b1;
    end
  end

  // Each one clock behind the other: the ratio's limit stands with step 12 for the earlier envelope and with
  // step 13 for the floor; to be under the limit of either is to be under that of the larger.
  always_ff @(posedge clk_i) begin
    earlier_place_q <= place_q - period_i;
    read_q          <= line_q[earlier_place_q];
    earlier_q       <= read_q;
    if (step_q[10]) former_q <= '0;
    else former_q <= earlier_q;
    if (step_q[10]) floor_q <= floor_i;
    else floor_q <= '0;
    bound_low_q     <= 24'(reference[15:0]) * 24'(ratio_i);
    bound_high_q    <= 24'(reference[31:16]) * 24'(ratio_i);
    bound_q         <= {bound_high_q, 16'd0} + 40'(bound_low_q);
    if (step_q[10]) under_drop_q <= beside_drop[32];
    if (step_q[11]) under_low_q <= beside_low[32];
    if (step_q[12]) under_ratio_q <= beside_ratio[33];
    if (step_q[13] && beside_ratio[33]) under_ratio_q <= 1'b1;
    if (step_q[15]) line_q[place_q] <= envelope_q;
  end

  // ---- states -----------------------------------------------------------------------------------
  typedef enum logic [1:0] {
    Off,
    Idle,
    Suspect,
    Confirmed
  } state_e;
  localparam logic [3:0] KindSuspect = 4'd1;
  localparam logic [3:0] KindConfirmed = 4'd2;
  localparam logic [3:0] KindWithdrawn = 4'd3;
  localparam logic [3:0] KindReturn = 4'd4;

  localparam logic signed [17:0] MoreSamples = 18'sd32;

  state_e state_d, state_q;
  logic [16:0] wait_d, wait_q;  // samples in suspect, or samples with the voltage back
  logic fresh_d, fresh_q, due, over, back, high_rms;
  logic signed [17:0] spare, beside_return;  // samples beyond confirm_i, return_i
  logic [28:0] beside_confirm_rms, beside_return_rms;  // their signs: urms_i is below these
  logic [3:0] kind_d, kind_q;

  assign state_o  = state_q;
  assign spare              = {1'b0, wait_q} - 18'(confirm_i);
  assign beside_return      = {1'b0, wait_q} - 18'(return_i);
  assign beside_confirm_rms = {1'b0, urms_i} - {1'b0, confirm_rms_i};
  assign beside_return_rms  = {1'b0, urms_i} - {1'b0, return_rms_i};

  assign due      = state_q == Suspect ? !spare[17] : !beside_return[17];
  assign over     = spare >= MoreSamples;
  assign high_rms = state_q == Suspect ? !beside_confirm_rms[28] : !beside_return_rms[28];
  assign back     = urms_valid_i && high_rms;

  always_comb begin
    state_d = state_q;
    wait_d  = wait_q;
    fresh_d = fresh_q || (publish_i && urms_valid_i);  // Urms(1/2) since the last sample decided upon
    kind_d  = '0;
    if (step_q[16]) begin
      fresh_d = 1'b0;
      unique case (state_q)
        Off, Confirmed: begin
          wait_d = back ? wait_q + 1'b1 : 17'd0;
          if (back && due) begin
            state_d = Idle;
            kind_d  = state_q == Confirmed ? KindReturn : '0;
          end
        end
        Idle: begin
          wait_d = '0;
          if (tripped) begin
            wait_d  = 17'd1;
            state_d = Suspect;
            kind_d  = KindSuspect;
          end
        end
        Suspect: begin
          wait_d = over ? wait_q : wait_q + 1'b1;
          if (due && (tripped || (fresh_q && !high_rms))) begin
            state_d = Confirmed;
            wait_d  = '0;
            kind_d  = KindConfirmed;
          end else if (over && fresh_q) begin
            state_d = Idle;
            kind_d  = KindWithdrawn;
          end
        end
        default: state_d = Off;
      endcase
    end
    if (!enable_i) begin
      state_d = Off;
      wait_d  = '0;
      kind_d  = '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Off;
      wait_q  <= '0;
      fresh_q <= 1'b0;
      kind_q  <= '0;
    end else begin
      state_q <= state_d;
      wait_q  <= wait_d;
      fresh_q <= fresh_d;
      kind_q  <= kind_d;
    end
  end

  assign kind_o  = kind_q;
  assign event_o = kind_q != '0;

`ifdef FORMAL
  `include "td_power_fail.svh"
`endif
endmodule
