using System.Buffers.Binary;
using System.Text;

namespace Moirai.Telemetry.Tests;

/// <summary>A message in the wire format of Protocol Buffers, read by the numbers of its fields.</summary>
/// <remarks>Enough of it for OTLP: the schema is opentelemetry-proto 1.x, whose field numbers are stable.</remarks>
internal sealed class Message
{
    private readonly List<(int Number, ulong Scalar, ReadOnlyMemory<byte> Bytes)> _fields = [];

    public Message(ReadOnlyMemory<byte> wire)
    {
        while (wire.Length > 0)
        {
            ulong key = Varint(ref wire);
            int number = (int)(key >> 3);
            switch (key & 7)
            {
                case 0:
                    _fields.Add((number, Varint(ref wire), default));
                    break;
                case 1:
                    _fields.Add((number, BinaryPrimitives.ReadUInt64LittleEndian(wire.Span), default));
                    wire = wire[8..];
                    break;
                case 2:
                    int length = checked((int)Varint(ref wire));
                    _fields.Add((number, 0, wire[..length]));
                    wire = wire[length..];
                    break;
                case 5:
                    _fields.Add((number, BinaryPrimitives.ReadUInt32LittleEndian(wire.Span), default));
                    wire = wire[4..];
                    break;
                default:
                    throw new InvalidDataException($"There is no wire type {key & 7}.");
            }
        }
    }

    public bool Has(int number) => _fields.Exists(field => field.Number == number);

    public IEnumerable<Message> All(int number) => _fields.Where(field => field.Number == number).Select(static field => new Message(field.Bytes));

    public Message One(int number) => All(number).Single();

    public string Text(int number) => Encoding.UTF8.GetString(Bytes(number));

    public byte[] Bytes(int number) => _fields.Where(field => field.Number == number).Select(static field => field.Bytes.ToArray()).SingleOrDefault([]);

    public ulong Scalar(int number) => _fields.Where(field => field.Number == number).Select(static field => field.Scalar).SingleOrDefault();

    public double Double(int number) => BitConverter.UInt64BitsToDouble(Scalar(number));

    /// <summary>Packed numbers of eight bytes.</summary>
    public ulong[] Packed(int number) => [.. Bytes(number).Chunk(8).Select(static chunk => BinaryPrimitives.ReadUInt64LittleEndian(chunk))];

    private static ulong Varint(ref ReadOnlyMemory<byte> wire)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = wire.Span[0];
            wire = wire[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
