// Sine of 128 points a cycle: sine_o = 74146.65 sin(2 pi place_i / 128), rounded. Over 10 cycles of 128
// points the sum of x sine is the RMS value of the part of x in phase with it, x 2^26.
// Latency: 1 clock.
// Made by hdl/spectrum_tables.py; do not edit.
module td_sine_rom (
  input  logic               clk_i,
  input  logic        [6:0]  place_i,
  output logic signed [17:0] sine_o
);
  logic [5:0]  quarter;  // distance from the nearer zero
  logic [16:0] size;

  assign quarter = place_i[5] ? 6'd32 - {1'b0, place_i[4:0]} : {1'b0, place_i[4:0]};

  always_ff @(posedge clk_i) sine_o <= place_i[6] ? -{1'b0, size} : {1'b0, size};

  always_comb begin
    unique case (quarter)
      6'd0: size = 17'd0;
      6'd1: size = 17'd3638;
      6'd2: size = 17'd7268;
      6'd3: size = 17'd10880;
      6'd4: size = 17'd14465;
      6'd5: size = 17'd18016;
      6'd6: size = 17'd21524;
      6'd7: size = 17'd24979;
      6'd8: size = 17'd28375;
      6'd9: size = 17'd31702;
      6'd10: size = 17'd34952;
      6'd11: size = 17'd38119;
      6'd12: size = 17'd41194;
      6'd13: size = 17'd44169;
      6'd14: size = 17'd47038;
      6'd15: size = 17'd49794;
      6'd16: size = 17'd52430;
      6'd17: size = 17'd54939;
      6'd18: size = 17'd57316;
      6'd19: size = 17'd59555;
      6'd20: size = 17'd61651;
      6'd21: size = 17'd63598;
      6'd22: size = 17'd65392;
      6'd23: size = 17'd67028;
      6'd24: size = 17'd68503;
      6'd25: size = 17'd69812;
      6'd26: size = 17'd70954;
      6'd27: size = 17'd71925;
      6'd28: size = 17'd72722;
      6'd29: size = 17'd73344;
      6'd30: size = 17'd73790;
      6'd31: size = 17'd74057;
      default: size = 17'd74147;
    endcase
  end
endmodule
