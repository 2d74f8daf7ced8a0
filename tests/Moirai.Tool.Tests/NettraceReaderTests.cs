using System.Text;
using Moirai.Tool.Connecting;

namespace Moirai.Tool.Tests;

/// <summary>The stream of a session. That it is read right is seen by every other test; here it is damaged.</summary>
[Trait("Issue", "7")]
public sealed class NettraceReaderTests
{
    [Fact]
    public void What_is_no_such_stream_is_said_to_be_none() =>
        Should.Throw<InvalidDataException>(() => Run("Nottrace"u8)).Message.ShouldContain("cannot read");

    [Fact]
    public void A_stream_that_breaks_off_is_said_to() => Should.Throw<EndOfStreamException>(() => Run([.. Beginning, 5]));

    [Fact]
    public void A_stream_without_anything_is_read_to_its_end() => Run([.. Beginning, 1]).ShouldBe(0);

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void A_block_of_a_size_that_cannot_be_takes_no_memory(int size) =>
        Should.Throw<InvalidDataException>(() => Run([.. Beginning, .. Head("EventBlock"), .. BitConverter.GetBytes(size), 0, 0, 0, 0])).Message.ShouldContain("damaged");

    [Fact]
    public void An_event_that_is_longer_than_its_block_is_not_read()
    {
        byte[] header = [20, 0, 1, 0, .. new byte[16]];
        byte[] block = [.. header, 0b1000_0001, 1, 0, 100]; // event 1, time 0, 100 bytes, of which none is there
        Should.Throw<InvalidDataException>(() => Run(Block(block))).Message.ShouldContain("longer than its block");
    }

    [Fact]
    public void A_kind_of_block_that_nobody_knows_is_stepped_over()
    {
        byte[] first = Block([1, 2, 3, 4], "NewBlock");
        Run([.. first, 1]).ShouldBe(0);
    }

    private static byte[] Beginning => [.. "Nettrace"u8, .. Named("!FastSerialization.1")];

    private static byte[] Named(string name) => [.. BitConverter.GetBytes(name.Length), .. Encoding.ASCII.GetBytes(name)];

    private static byte[] Head(string type) => [5, 5, 1, 2, 0, 0, 0, 2, 0, 0, 0, .. Named(type), 6];

    private static byte[] Block(byte[] content, string type = "EventBlock")
    {
        byte[] before = [.. Beginning, .. Head(type), .. BitConverter.GetBytes(content.Length)];
        return [.. before, .. new byte[-before.Length & 3], .. content, 6];
    }

    private static int Run(ReadOnlySpan<byte> bytes)
    {
        int events = 0;
        using var stream = new MemoryStream(bytes.ToArray());
        new NettraceReader(stream, "Moirai", (_, _) => events++).Run();
        return events;
    }
}
