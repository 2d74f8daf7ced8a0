using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Moirai.Execution;
using Moirai.Ground;

namespace Moirai.Tests.Ground;

/// <summary>What one processor writes all the time shares no cache line with what lies beside it in memory. Issue 6.</summary>
[Trait("Issue", "6")]
public sealed class IsolatedTests
{
    private const int Line = 64;

    private delegate ref byte FieldOf(object of);

    public static TheoryData<Type> All => [.. typeof(Isolated).Assembly.GetTypes().Where(static type => type.IsSubclassOf(typeof(Isolated)))];

    [Theory]
    [MemberData(nameof(All))]
    public void A_line_of_nothing_lies_before_the_fields_and_one_behind_them(Type type)
    {
        object one = RuntimeHelpers.GetUninitializedObject(type);
        GC.SuppressFinalize(one);
        FieldInfo[] fields = Own(type);
        fields.Length.ShouldBeGreaterThan(1);
        FieldInfo after = fields.Single(static field => field.FieldType == typeof(CacheLine));
        FieldInfo before = Own(typeof(Isolated)).Single();

        long end = Offset(one, before, after);
        foreach (FieldInfo field in fields.Where(field => field != after))
        {
            long at = Offset(one, before, field);
            at.ShouldBeGreaterThanOrEqualTo(Line, $"{field.Name} lies beside what comes before the object");
            at.ShouldBeLessThan(end, $"{field.Name} lies beside what comes behind the object");
        }

        Unsafe.SizeOf<CacheLine>().ShouldBe(Line);
    }

    [Fact]
    public void Those_that_every_step_writes_are_isolated() =>
        All.Select(static row => (Type)((ITheoryDataRow)row).GetData()[0]!).ShouldBe([typeof(FrameShelf), typeof(Pump), typeof(ReadyQueue), typeof(StepContext)], ignoreOrder: true);

    [Fact]
    public void Twin_fields_without_lines_around_them_are_seen()
    {
        FieldInfo[] fields = Own(typeof(Crowded));
        Offset(new Crowded(), fields[0], fields[1]).ShouldBeLessThan(Line);
    }

    private static FieldInfo[] Own(Type type) => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);

    private static long Offset(object one, FieldInfo from, FieldInfo to) => Unsafe.ByteOffset(ref Reader(from)(one), ref Reader(to)(one));

    private static FieldOf Reader(FieldInfo field)
    {
        var method = new DynamicMethod($"{field.DeclaringType!.Name}.{field.Name}", typeof(byte).MakeByRefType(), [typeof(object)], typeof(IsolatedTests).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<FieldOf>();
    }

    private sealed class Crowded
    {
        public int First = 1;
        public int Second = 2;

        public override string ToString() => $"{First} {Second}";
    }
}
