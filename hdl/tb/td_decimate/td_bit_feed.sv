// td_decimate behind a shift register, so that the bench wakes once for 64 bits. words_i holds the
// next 64 bits of each channel, channel 0 lowest, bit 0 first; load_i takes them. A bit is given every
// spacing_i clocks, in all one when spacing_i is 1; empty_o: the next words may be loaded.
module td_bit_feed #(
  parameter int Oversampling = 128
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         load_i,
  input  logic [255:0] words_i,
  input  logic [7:0]   spacing_i,
  output logic         empty_o,
  output logic         ready_o,
  output logic         valid_o,
  output logic [95:0]  samples_o,
  output logic [95:0]  fast_o,
  output logic [3:0]   clipped_o,
  output logic         limited_o,
  output logic         overrun_o,
  // The bench reads these when it wakes: outputs so far, and the flags that were ever set.
  output logic [15:0]  outputs_o,
  output logic [5:0]   flags_o,
  output logic         hasty_o  // a second decimator of 32 bits a group has raised overrun
);
  logic [255:0] words_q;
  logic [6:0]   left_q;
  logic [7:0]   wait_q;
  logic         give;
  logic [3:0]   bits;
  logic         hasty;

  assign give    = left_q != '0 && wait_q == '0;
  assign empty_o = left_q == '0;
  assign bits    = {words_q[192], words_q[128], words_q[64], words_q[0]};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      words_q   <= '0;
      left_q    <= '0;
      wait_q    <= '0;
      outputs_o <= '0;
      flags_o   <= '0;
      hasty_o   <= 1'b0;
    end else begin
      if (load_i) begin
        words_q <= words_i;
        left_q  <= 7'd64;
        wait_q  <= '0;
      end else if (left_q != '0) begin
        wait_q <= give ? spacing_i - 1'b1 : wait_q - 1'b1;
        if (give) begin
          words_q <= words_q >> 1;
          left_q  <= left_q - 1'b1;
        end
      end
      outputs_o <= outputs_o + 16'(valid_o);
      flags_o   <= flags_o | {overrun_o, limited_o, clipped_o};
      hasty_o   <= hasty_o | hasty;
    end
  end

  td_decimate #(
    .Oversampling(Oversampling)
  ) u_decimate (
    .clk_i,
    .rst_ni,
    .bit_valid_i(give),
    .bits_i     (bits),
    .ready_o,
    .valid_o,
    .samples_o,
    .fast_o,
    .clipped_o,
    .limited_o,
    .overrun_o
  );

  /* verilator lint_off PINCONNECTEMPTY */
  td_decimate #(
    .Oversampling(32)
  ) u_hasty (
    .clk_i,
    .rst_ni,
    .bit_valid_i(give),
    .bits_i     (bits),
    .ready_o    (),
    .valid_o    (),
    .samples_o  (),
    .fast_o     (),
    .clipped_o  (),
    .limited_o  (),
    .overrun_o  (hasty)
  );
  /* verilator lint_on PINCONNECTEMPTY */
endmodule
